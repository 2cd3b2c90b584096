"""Options as the command line writes them."""

from __future__ import annotations

import os
from typing import List, Mapping

from ._errors import InputError


def words(options: Mapping[str, object]) -> List[str]:
    """`{"dim": {"S": 32}, "trust": "dealer"}` as `--dim=S=32 --trust=dealer`. What is None or False is left away."""
    found = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            found.append(option)
        elif isinstance(value, Mapping):
            found.extend(f"{option}={key}={_word(name, one)}" for key, one in value.items())
        elif isinstance(value, (list, tuple)):
            found.extend(f"{option}={_word(name, one)}" for one in value)
        else:
            found.append(f"{option}={_word(name, value)}")
    return found


def _word(name: str, value: object) -> str:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"`{name}` is {type(value).__name__}\nhint: give a text, a path or a number")
    return repr(value)
