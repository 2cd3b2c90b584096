import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy
import pytest

import ptc

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("PTC", ROOT / "target" / "release" / "ptc"))

MISSPELT = """use nn::{Linear, relu};

model M {
    layer: Linear<4, 3> @server,

    entry infer(x: real[4] @client) -> real[3] @client {
        rellu(layer(x))
    }
}
"""


@pytest.fixture(scope="module")
def plan():
    return ptc.compile(ROOT / "examples" / "hello" / "hello.ptx")


@pytest.fixture
def x(hello):
    given = json.loads((hello / "x.json").read_text())
    return numpy.array(given["data"]).reshape(given["shape"])


@pytest.fixture
def expected(hello):
    found = json.loads((hello / "expected.json").read_text())["infer"]
    return numpy.array(found["data"]).reshape(found["shape"])


def test_a_plan_says_what_it_costs(plan):
    assert plan.rounds > 0 and plan.bytes > 0
    assert len(plan.hash) == 64
    explained = plan.explain()
    assert "BY SOURCE LINE" in str(explained)
    assert explained.data["model"] == "Hello" and explained.data["online"]["rounds"] == plan.rounds
    assert "Hello.infer" in repr(plan)


def test_a_plan_survives_the_disk(plan, tmp_path):
    plan.save(tmp_path / "hello.plan")
    assert ptc.load(tmp_path / "hello.plan").hash == plan.hash


def test_the_same_source_gives_the_same_plan(plan, hello):
    assert ptc.compile(str(hello / "hello.ptx")).hash == plan.hash
    assert ptc.compile(hello / "hello.ptx", trust="dealer").hash != plan.hash


def test_both_parties_in_one_process(plan, hello, x, expected):
    simulated = plan.sim(weights=hello / "model.safetensors", inputs={"x": x})
    numpy.testing.assert_allclose(simulated.results["infer"], expected, atol=1e-3)
    numpy.testing.assert_allclose(simulated.float_results["infer"], expected, atol=1e-5)
    difference = numpy.abs(simulated.results["infer"] - simulated.float_results["infer"]).max()
    assert simulated.largest_error == pytest.approx(difference)
    assert simulated.warnings == [] and simulated.stats


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "float16"])
def test_numbers_of_any_type(plan, hello, dtype):
    values = numpy.array([1, -2, 0, 3]).astype(dtype)
    simulated = plan.sim(hello / "model.safetensors", {"x": values})
    assert simulated.results["infer"].dtype == numpy.float32
    assert simulated.largest_error < 1e-3


def weights_of(path):
    """The arrays of a small checkpoint in single precision."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    arrays = {}
    for name, of in header.items():
        if name != "__metadata__":
            start, end = (8 + length + at for at in of["data_offsets"])
            assert of["dtype"] == "F32"
            arrays[name] = numpy.frombuffer(content[start:end], "<f4").reshape(of["shape"])
    return arrays


def both(plan, address, server, client):
    """What both parties give, each in a thread."""
    given = {}

    def serve():
        given["server"] = plan.run(party=0, listen=address, **server)

    thread = threading.Thread(target=serve)
    thread.start()
    given["client"] = plan.run(party=1, connect=address, wait=30, **client)
    thread.join()
    return given


@pytest.mark.parametrize("kind", ["file", "float32", "float64"])
def test_two_parties_in_threads(plan, hello, address, x, expected, kind):
    weights = hello / "model.safetensors"
    if kind != "file":
        weights = {name: array.astype(kind) for name, array in weights_of(weights).items()}
    given = both(plan, address, {"weights": weights}, {"inputs": {"x": x}})
    assert given["server"] == {}
    numpy.testing.assert_allclose(given["client"]["infer"], expected, atol=1e-3)
    assert given["client"]["infer"].dtype == numpy.float32


def test_two_parties_in_processes(plan, hello, address, tmp_path, x, expected):
    plan.save(tmp_path / "hello.plan")
    server = f"import ptc; ptc.load('hello.plan').run(party=0, listen='{address}', weights='{hello}/model.safetensors')"
    running = subprocess.Popen([sys.executable, "-c", server], cwd=tmp_path)
    try:
        answer = ptc.load(tmp_path / "hello.plan").run(party=1, connect=address, wait=60, inputs={"x": x})
        assert running.wait(60) == 0
    finally:
        running.kill()
    numpy.testing.assert_allclose(answer["infer"], expected, atol=1e-3)


def test_errors_in_a_source_have_the_text_of_the_command_line(tmp_path):
    path = tmp_path / "m.ptx"
    path.write_text(MISSPELT)
    with pytest.raises(ptc.CompileError) as raised:
        ptc.compile(path)
    (found,) = raised.value.diagnostics
    assert (found.code, found.severity, found.line, found.column) == ("E0201", "error", 7, 9)
    assert found.file == str(path) and found.message == "unknown function `rellu`"
    assert "did you mean `relu`" in found.hint and raised.value.hint == found.hint
    assert found.suggestion[2] == "relu"
    if PROGRAM.exists():
        told = subprocess.run([PROGRAM, "check", path], capture_output=True, text=True)
        assert told.returncode == 1 and told.stderr.strip() == str(raised.value).strip()


def test_what_this_side_gives_is_checked_with_the_same_text(plan, hello, address, tmp_path):
    with pytest.raises(ptc.InputError, match="the entry needs `x`") as raised:
        plan.run(party=1, connect=address)
    assert raised.value.hint == "add `--input x=FILE`"
    if PROGRAM.exists():
        plan.save(tmp_path / "hello.plan")
        words = [PROGRAM, "run", tmp_path / "hello.plan", "--party=1", f"--connect={address}"]
        told = subprocess.run(words, capture_output=True, text=True)
        assert told.stderr.strip() == f"error: {raised.value}".strip()
    with pytest.raises(ptc.InputError, match=r"`x`.*\[5\]"):
        plan.run(party=1, connect=address, inputs={"x": numpy.zeros(5)})
    with pytest.raises(ptc.InputError, match="`x` is no array"):
        plan.run(party=1, connect=address, inputs={"x": [numpy.nan, 0, 0, 0]})
    with pytest.raises(ptc.InputError, match="no weights are given"):
        plan.run(party=0, listen=address)
    with pytest.raises(ptc.InputError, match="layer.weight"):
        plan.run(party=0, listen=address, weights={"layer.weight": numpy.zeros((3, 5), "float32")})
    with pytest.raises(ptc.InputError, match="int64"):
        plan.run(party=0, listen=address, weights={"layer.weight": numpy.zeros((3, 4), "int64")})
    with pytest.raises(ptc.InputError, match="unexpected argument '--no-such'"):
        plan.run(party=1, connect=address, no_such=1)
    with pytest.raises(ptc.InputError, match="cannot be read"):
        ptc.load("no.plan")
    with pytest.raises(ptc.InputError, match="has no source"):
        plan.save(tmp_path / "a.plan")
        ptc.load(tmp_path / "a.plan").sim()


def test_a_party_that_is_not_there(plan, address, x):
    with pytest.raises(ptc.PeerError):
        plan.run(party=1, connect=address, wait=1, inputs={"x": x})


def test_an_interrupt_ends_the_wait(tmp_path, plan, hello, address):
    plan.save(tmp_path / "hello.plan")
    source = (
        "import ptc\n"
        "try:\n"
        f"    ptc.load('hello.plan').run(party=0, listen='{address}', weights='{hello}/model.safetensors')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    running = subprocess.Popen([sys.executable, "-c", source], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    time.sleep(3)
    start = time.monotonic()
    running.send_signal(signal.SIGINT)
    told, _ = running.communicate(timeout=30)
    assert told.strip() == "interrupted" and time.monotonic() - start < 10


def test_other_threads_go_on_while_a_session_waits(plan, address, x):
    done = threading.Event()

    def wait():
        with pytest.raises(ptc.PeerError):
            plan.run(party=1, connect=address, wait=2, inputs={"x": x})
        done.set()

    thread = threading.Thread(target=wait)
    thread.start()
    count = 0
    while not done.is_set():
        count += 1
        time.sleep(0.01)
    thread.join()
    assert count > 50
