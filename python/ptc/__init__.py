"""Private Transformer inference: a model stays with its owner, an input stays with its owner.

    plan = ptc.compile("model.ptx")
    plan.save("model.plan")

    # The owner of the weights:
    ptc.load("model.plan").run(party=0, listen="127.0.0.1:7001", weights="model.safetensors")

    # The owner of the input:
    answer = ptc.load("model.plan").run(party=1, connect="127.0.0.1:7001", inputs={"x": x})
"""

try:
    from ._ptc import __version__
except ImportError as error:  # pragma: no cover
    if "LLVM" in str(error):
        raise ImportError(
            f"{error}\nhint: ptc compiles kernels with LLVM 19, which this machine lacks: `apt-get install libllvm19`"
        ) from error
    raise

from ._errors import CompileError, Diagnostic, Error, InputError, PeerError
from ._plan import Explanation, Plan, Simulated, compile, load

__all__ = [
    "CompileError",
    "Diagnostic",
    "Error",
    "Explanation",
    "InputError",
    "PeerError",
    "Plan",
    "Simulated",
    "__version__",
    "compile",
    "load",
]
