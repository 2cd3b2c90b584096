"""Arrays in files: `.npy` and `.safetensors` of 32-bit floats, with Python's standard library alone."""

import ast
import json
import random
import struct

from session import Failure


def read(path):
    """The numbers of a little-endian float `.npy` file, row by row."""
    data = path.read_bytes()
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10 : 10 + length].decode())
    if data[:7] != b"\x93NUMPY\x01" or header["fortran_order"] or header["descr"] not in ("<f4", "<f8"):
        raise Failure(f"`{path}` is no array of floats in version 1 of the format, row by row")
    body = data[10 + length :]
    width = int(header["descr"][2])
    return struct.unpack(f"<{len(body) // width}{'f' if width == 4 else 'd'}", body)


def normal(seed, count, deviation):
    """The same numbers for the same seed, rounded to 32-bit floats."""
    source = random.Random(seed)
    values = [source.gauss(0, deviation) for _ in range(count)]
    return struct.unpack(f"<{count}f", struct.pack(f"<{count}f", *values))


def write(path, shape, values):
    header = str({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + floats(values))


def write_tensor(path, name, shape, values):
    """A checkpoint of one tensor."""
    body = floats(values)
    header = json.dumps({name: {"dtype": "F32", "shape": list(shape), "data_offsets": [0, len(body)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)
