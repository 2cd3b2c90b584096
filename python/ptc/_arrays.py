"""NumPy arrays as ptc takes and gives them: the bytes of `.npy` and `.safetensors` files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
from typing import Dict, Iterator, List, Mapping, Tuple

import numpy

from ._errors import InputError

#: What a checkpoint may hold, by NumPy's name.
_DTYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def npy(arrays: Mapping[str, object]) -> List[Tuple[str, bytes]]:
    """Each array by its name. Whether its numbers can be taken is ptc's to say."""
    return [(name, _npy(name, array)) for name, array in arrays.items()]


def _npy(name: str, array: object) -> bytes:
    try:
        array = numpy.asarray(array)
    except ValueError as error:
        raise InputError(f"`{name}` is no array: {error}\nhint: give all rows the same length") from None
    if array.dtype == object:
        raise InputError(f"`{name}` is no array of numbers, but of objects")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    file = io.BytesIO()
    numpy.save(file, numpy.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    return file.getvalue()


def results(queries: List[List[Tuple[str, bytes]]]) -> List[Dict[str, numpy.ndarray]]:
    load = lambda content: numpy.load(io.BytesIO(content), allow_pickle=False)  # noqa: E731
    return [{name: load(content) for name, content in query} for query in queries]


@contextlib.contextmanager
def checkpoint(weights: object) -> Iterator[object]:
    """The path of a checkpoint. Arrays by name become one in memory, which never reaches a disk and is gone afterwards."""
    if not isinstance(weights, Mapping):
        yield weights
        return
    file = os.memfd_create("weights.safetensors", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(file), "wb") as writer:
            _write(writer, weights)
        yield f"/proc/self/fd/{file}"
    finally:
        os.ftruncate(file, 0)
        os.close(file)


def _write(writer, weights: Mapping[str, object]) -> None:
    header, contents, at = {}, [], 0
    for name, array in weights.items():
        array = numpy.asarray(array)
        kind = _DTYPES.get(array.dtype.name)
        if kind is None:
            raise InputError(
                f"the weight `{name}` is of {array.dtype}\nhint: weights are of float64, float32, float16 or bfloat16"
            )
        content = numpy.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, at + len(content)]}
        contents.append(content)
        at += len(content)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    writer.write(struct.pack("<Q", len(text)))
    writer.write(text)
    writer.writelines(contents)
