#!/usr/bin/env python3
"""Writes model.safetensors, x.json and expected.json beside itself. Needs Python and nothing else.

Every number is a small multiple of 1/8, so the expected result is exact.
"""

import json
import struct
from pathlib import Path

WEIGHT = [[0.5, -1.0, 0.25, 2.0], [-1.5, 0.125, 1.0, -0.5], [1.0, 1.0, -0.75, 0.5]]  # [OUT, IN], as PyTorch has it
BIAS = [0.5, 0.25, -1.0]
X = [1.5, -2.0, 0.5, 1.0]


def safetensors(tensors):
    """The bytes of a safetensors file: header length, JSON header padded to 8 bytes, little-endian f32 values."""
    header, values = {}, b""
    for name, (shape, numbers) in sorted(tensors.items()):
        start = len(values)
        values += struct.pack(f"<{len(numbers)}f", *numbers)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(values)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + values


def tensor(numbers):
    return json.dumps({"shape": [len(numbers)], "data": numbers})


def main():
    folder = Path(__file__).parent
    flat = [number for row in WEIGHT for number in row]
    model = {"layer.weight": ([3, 4], flat), "layer.bias": ([3], BIAS)}
    (folder / "model.safetensors").write_bytes(safetensors(model))
    (folder / "x.json").write_text(tensor(X) + "\n")
    sums = [sum(w * x for w, x in zip(row, X, strict=True)) + b for row, b in zip(WEIGHT, BIAS, strict=True)]
    (folder / "expected.json").write_text(f'{{"infer": {tensor([max(0.0, s) for s in sums])}}}\n')


if __name__ == "__main__":
    main()
