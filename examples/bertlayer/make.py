#!/usr/bin/env python3
"""Writes the layer's random weights, an input and the float result.

    python examples/bertlayer/make.py [FOLDER]        # default: examples/bertlayer/data; needs numpy and safetensors

`model.safetensors` (f32, linear weights as [OUT, IN]), `x.npy` (f32), `expected.npy` (computed in float64) and
`calibration.jsonl`, other inputs of the same kind for `ptc calibrate`.
The numbers come from one seeded generator in a fixed order, which other frameworks' benchmarks repeat: the input, then
query, key, value and output projections, the two feed-forward layers, the two LayerNorms. Figures are then taken on
the same layer.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

S, D, HEADS, FFN = 128, 768, 12, 3072
SEED, SPREAD, EPSILON = 7, 0.04, 1e-12
CALIBRATION_SEED, CALIBRATION_SAMPLES = 8, 2

PROJECTIONS = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
NORMS = ["attention.output.LayerNorm", "output.LayerNorm"]


def draw():
    """The input and the parameters by checkpoint name; the order of the draws is part of the benchmark."""
    generator = np.random.default_rng(SEED)
    x = generator.standard_normal((S, D)).astype(np.float32)
    normal = lambda *shape: (generator.standard_normal(shape) * SPREAD).astype(np.float32)
    parameters = {}
    shapes = [(name, D, D) for name in PROJECTIONS] + [("intermediate.dense", D, FFN), ("output.dense", FFN, D)]
    for name, rows, columns in shapes:
        parameters[f"{name}.weight"] = np.ascontiguousarray(normal(rows, columns).T)
        parameters[f"{name}.bias"] = normal(columns)
    for name in NORMS:
        parameters[f"{name}.weight"] = (1 + 0.1 * generator.standard_normal(D)).astype(np.float32)
        parameters[f"{name}.bias"] = (0.1 * generator.standard_normal(D)).astype(np.float32)
    return x, parameters


def layer(x, parameters):
    """The post-LN encoder layer in float64."""
    p = {name: value.astype(np.float64) for name, value in parameters.items()}
    linear = lambda name, rows: rows @ p[f"{name}.weight"].T + p[f"{name}.bias"]
    query, key, value = (linear(name, x).reshape(S, HEADS, -1).transpose(1, 0, 2) for name in PROJECTIONS[:3])
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(D / HEADS)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    attended = (weights @ value).transpose(1, 0, 2).reshape(S, D)

    def norm(name, rows):
        centred = rows - rows.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred / np.sqrt(variance + EPSILON) * p[f"{name}.weight"] + p[f"{name}.bias"]

    a = norm(NORMS[0], x + linear(PROJECTIONS[3], attended))
    return norm(NORMS[1], a + linear("output.dense", gelu(linear("intermediate.dense", a))))


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def calibration():
    """A JSON object of named tensors for each sample."""
    generator = np.random.default_rng(CALIBRATION_SEED)
    for _ in range(CALIBRATION_SAMPLES):
        data = [round(float(value), 4) for value in generator.standard_normal(S * D)]
        yield json.dumps({"x": {"shape": [S, D], "data": data}}) + "\n"


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    folder.mkdir(parents=True, exist_ok=True)
    x, parameters = draw()
    save_file(parameters, folder / "model.safetensors")
    np.save(folder / "x.npy", x)
    np.save(folder / "expected.npy", layer(x.astype(np.float64), parameters))
    (folder / "calibration.jsonl").write_text("".join(calibration()))
    print(f"wrote {folder}/model.safetensors, x.npy, expected.npy, calibration.jsonl")


if __name__ == "__main__":
    main()
