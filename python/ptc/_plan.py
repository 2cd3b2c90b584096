"""Plans: what two parties execute together."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Union

import numpy

from . import _arrays, _options, _ptc
from ._errors import InputError

Path = Union[str, "os.PathLike[str]"]
Arrays = Dict[str, numpy.ndarray]


@dataclass(frozen=True)
class Explanation:
    """What a plan does, costs, reveals and errs: `str()` is the table of `ptc explain`, `data` the same as a dict."""

    text: str
    data: dict = field(repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Simulated:
    """Both parties in one process, beside floating point."""

    results: Arrays
    float_results: Arrays
    #: The largest difference of any element of a result.
    largest_error: float
    #: Rounds, bytes and seconds of each phase, as the client saw them.
    stats: dict
    #: Values that left their bounds; empty when all is well.
    warnings: List[str]


class Plan:
    """A compiled model. Both parties need the same: `hash` says whether they have it."""

    def __init__(self, native: "_ptc.NativePlan", source: Optional[dict] = None, warnings: str = ""):
        self._native = native
        self._source = source
        self._explained: Dict[str, Explanation] = {}
        #: What the compiler warned of, as on the command line.
        self.warnings = warnings

    def __repr__(self) -> str:
        data = self.explain().data
        return f"<ptc.Plan {data['model']}.{data['entry']}: {self.rounds} rounds, {self.bytes} bytes online>"

    def save(self, path: Path) -> None:
        """Writes the plan. It holds no weights: give the same file to both parties."""
        self._native.save(os.fspath(path))

    @property
    def hash(self) -> str:
        """SHA-256 of the plan, which opens every session."""
        return self._native.hash()

    @property
    def rounds(self) -> int:
        """Rounds of a query."""
        return self.explain().data["online"]["rounds"]

    @property
    def bytes(self) -> int:
        """Bytes of a query, both ways together, without what is prepared."""
        online = self.explain().data["online"]
        return online["server_bytes"] + online["client_bytes"]

    def explain(self, profile: str = "lan") -> Explanation:
        """What the plan does, costs, reveals and errs. Times are predicted for `profile`."""
        if profile not in self._explained:
            text, data = self._native.explain(profile)
            self._explained[profile] = Explanation(text, json.loads(data))
        return self._explained[profile]

    def run(
        self,
        party: int,
        *,
        listen: Optional[str] = None,
        connect: Optional[str] = None,
        weights: Union[Path, Mapping[str, object], None] = None,
        inputs: Optional[Mapping[str, object]] = None,
        text: Union[str, List[str], None] = None,
        tokenizer: Optional[Path] = None,
        timeout: Optional[int] = None,
        peer: Optional[str] = None,
        identity: Optional[Path] = None,
        **options: object,
    ) -> Union[Arrays, List[Arrays]]:
        """Runs one party: 0 holds the weights, 1 the input. One listens, the other connects.

        Gives the results that are this party's, by name; of several queries (`text` is a list) a list of them. Further
        options are those of `ptc run`, with underscores: `dealer`, `pool`, `truncate`, `wait`, `backend`, ... Other Python
        threads go on meanwhile, and an interrupt (ctrl-C) ends the wait; the connection is then closed after `timeout`.
        """
        given = {
            "party": party,
            "listen": listen,
            "connect": connect,
            "text": text,
            "tokenizer": tokenizer,
            "timeout": timeout,
            "peer": peer,
            "identity": identity,
            **options,
        }
        with _arrays.checkpoint(weights) as checkpoint:
            words = _options.words({**given, "weights": checkpoint})
            queries, _ = _ptc.run(self._native, words, _arrays.npy(inputs or {}))
        results = _arrays.results(queries)
        if isinstance(text, (list, tuple)) or len(results) > 1:
            return results
        return results[0] if results else {}

    def sim(
        self,
        weights: Union[Path, Mapping[str, object], None] = None,
        inputs: Optional[Mapping[str, object]] = None,
        *,
        text: Optional[str] = None,
        tokenizer: Optional[Path] = None,
        **options: object,
    ) -> Simulated:
        """Runs both parties in this process and compares with floating point, as `ptc sim` does.

        This is for developing a model: one process sees everything. It needs the source, so the plan must be one that
        `ptc.compile` made.
        """
        if self._source is None:
            raise InputError("a plan that was loaded has no source to compare with\nhint: make it with `ptc.compile`")
        given = {**self._source["options"], "text": text, "tokenizer": tokenizer, **options}
        with _arrays.checkpoint(weights) as checkpoint:
            words = [*_options.words({**given, "weights": checkpoint}), "--", self._source["model"]]
            found, expected, warnings, stats = _ptc.simulate(words, _arrays.npy(inputs or {}))
        results, floats = _arrays.results(found), _arrays.results(expected)
        pairs = [(one[name], other[name]) for one, other in zip(results, floats) for name in one]
        largest = max((float(numpy.max(numpy.abs(a - b), initial=0.0)) for a, b in pairs), default=0.0)
        first = lambda queries: queries[0] if queries else {}  # noqa: E731
        return Simulated(first(results), first(floats), largest, json.loads(stats), warnings)


def compile(
    model: Path,
    *,
    dims: Optional[Mapping[str, int]] = None,
    entry: Optional[str] = None,
    optimize: str = "total",
    profile: Path = "lan",
    tolerance: Optional[float] = None,
    ranges: Optional[Path] = None,
    **options: object,
) -> Plan:
    """Compiles a `.ptx` model, as `ptc build` does.

    `dims` sets sizes that the source declares with `dim`; `optimize` is "online", "total" or "traffic"; `profile` names a
    link or a file of `ptc profile`; `ranges` is a file of `ptc calibrate`, by default `MODEL.ranges.json` beside the model.
    Further options are those of `ptc build`, with underscores: `trust="dealer"`, `batch=8`, `inline=True`, ...
    """
    given = {
        "dim": dims,
        "entry": entry,
        "optimize": optimize,
        "profile": profile,
        "tolerance": tolerance,
        "ranges": ranges,
        **options,
    }
    native, warnings = _ptc.compile([*_options.words(given), "--", os.fspath(model)])
    return Plan(native, {"model": os.fspath(model), "options": given}, warnings)


def load(path: Path) -> Plan:
    """Reads a plan that `Plan.save` or `ptc build` has written, and checks it."""
    return Plan(_ptc.load(os.fspath(path)))
