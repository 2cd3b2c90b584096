"""What can go wrong, with the text of the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import List, Optional


class Error(Exception):
    """Something that ptc refused. Its text ends with a `hint:` line where there is a fix."""

    @property
    def hint(self) -> Optional[str]:
        """What would mend it."""
        _, found, hint = str(self).rpartition("\nhint: ")
        return hint.strip() if found else None


class InputError(Error):
    """What this side was given does not fit: options, weights, inputs, files."""


class PeerError(Error):
    """The other party, or the way to it, is at fault."""


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong in a source."""

    code: str
    severity: str
    message: str
    file: str
    #: Both count from 1.
    line: int
    column: int
    hint: Optional[str]
    #: What is replaced by what, where a tool may do so: start and end in bytes of the file, and the text.
    suggestion: Optional[tuple]


class CompileError(Error):
    """Errors in a model's source. The text shows them in place; `diagnostics` has them one by one."""

    def __init__(self, text: str, diagnostics: Optional[List[Diagnostic]] = None):
        super().__init__(text)
        self.diagnostics: List[Diagnostic] = diagnostics or []

    @property
    def hint(self) -> Optional[str]:
        hints = [diagnostic.hint for diagnostic in self.diagnostics if diagnostic.hint]
        return hints[0] if hints else None


def of(kind: str, text: str, described: str) -> Error:
    """The exception of a kind; `described` are its diagnostics as JSON."""
    if kind == "PeerError":
        return PeerError(text)
    if kind != "CompileError":
        return InputError(text)
    return CompileError(text, [_diagnostic(one) for one in json.loads(described)])


def _diagnostic(described: dict) -> Diagnostic:
    place = described["place"]
    suggestion = described.get("suggestion")
    if suggestion is not None:
        where = suggestion["place"]
        suggestion = (where["start"], where["end"], suggestion["replacement"])
    return Diagnostic(
        code=described["code"],
        severity=described["severity"],
        message=described["message"],
        file=place["file"],
        line=place["line"],
        column=place["column"],
        hint=described.get("hint"),
        suggestion=suggestion,
    )
