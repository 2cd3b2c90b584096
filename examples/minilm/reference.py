#!/usr/bin/env python3
"""The float embeddings of sentences.txt, to hold private ones against.

    python3 -m venv venv
    venv/bin/pip install numpy safetensors tokenizers
    venv/bin/python examples/minilm/reference.py [MODEL_FOLDER]            # writes reference.jsonl
    venv/bin/pip install torch transformers
    venv/bin/python examples/minilm/reference.py [MODEL_FOLDER] --check    # compares three computations

MODEL_FOLDER is where fetch.py put the model, by default examples/minilm/model. The reference is plain numpy in float64
on the sentence's own tokens. `--check` computes each embedding again by transformers' BertModel in float32 with 128
padded rows and a mask, and fails above 1e-5.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HERE = Path(__file__).parent
D, HEADS, LAYERS, FFN, LONGEST, EPSILON = 384, 12, 6, 1536, 128, 1e-12


def load(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    weights = load_file(folder / "model.safetensors")
    return tokenizer, {name: w.astype(np.float64) for name, w in weights.items() if w.dtype == np.float32}


def embed(weights, ids):
    """The embedding of one sentence; without padding the mask is all ones and drops out."""

    def linear(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, x):
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
        return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(x):
        return x.reshape(len(ids), HEADS, D // HEADS).transpose(1, 0, 2)

    words, places, kinds = (weights[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type"))
    x = norm("embeddings.LayerNorm", words[ids] + places[: len(ids)] + kinds[0])
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (heads(linear(f"{at}.attention.self.{n}", x)) for n in ("query", "key", "value"))
        attended = softmax(query @ key.transpose(0, 2, 1) / math.sqrt(D / HEADS)) @ value
        projected = linear(f"{at}.attention.output.dense", attended.transpose(1, 0, 2).reshape(len(ids), D))
        x = norm(f"{at}.attention.output.LayerNorm", x + projected)
        hidden = gelu(linear(f"{at}.intermediate.dense", x))
        x = norm(f"{at}.output.LayerNorm", x + linear(f"{at}.output.dense", hidden))
    pooled = x.mean(0)
    return pooled / np.linalg.norm(pooled)


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def embed_by_transformers(folder, rows):
    """[sentences, D] by BertModel in float32, every row padded to LONGEST."""
    import torch
    from safetensors.torch import load_file as load_tensors
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=30522, hidden_size=D, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=FFN,
        layer_norm_eps=EPSILON, hidden_act="gelu",
    )
    model = BertModel(config).eval()
    unmatched = model.load_state_dict(load_tensors(folder / "model.safetensors"), strict=False)
    assert not unmatched.missing_keys and unmatched.unexpected_keys in ([], ["embeddings.position_ids"]), unmatched
    ids = torch.tensor([row + [0] * (LONGEST - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (LONGEST - len(row)) for row in rows])
    with torch.no_grad():
        tokens = model(input_ids=ids, attention_mask=mask).last_hidden_state
    kept = mask[..., None].float()
    pooled = (tokens * kept).sum(1) / kept.sum(1)
    return torch.nn.functional.normalize(pooled, dim=1).double().numpy()


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    folder = Path(arguments[0]) if arguments else HERE / "model"
    tokenizer, weights = load(folder)
    texts = (HERE / "sentences.txt").read_text().splitlines()
    rows = [tokenizer.encode(text).ids for text in texts]
    for text, row in zip(texts, rows, strict=True):
        if len(row) > LONGEST:
            sys.exit(f"error: {len(row)} tokens where {LONGEST} are allowed: `{text}`")
    embeddings = [embed(weights, row) for row in rows]
    if "--check" in sys.argv:
        kept = [json.loads(line)["embedding"] for line in (HERE / "reference.jsonl").read_text().splitlines()]
        for name, other in (("reference.jsonl", np.array(kept)), ("transformers", embed_by_transformers(folder, rows))):
            difference = float(np.abs(other - np.array(embeddings)).max())
            print(f"numpy against {name}: largest difference {difference:.1e}")
            assert difference <= 1e-5
        return
    with open(HERE / "reference.jsonl", "w") as out:
        for text, row, embedding in zip(texts, rows, embeddings, strict=True):
            line = {"text": text, "tokens": len(row), "embedding": [round(float(x), 7) for x in embedding]}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
