#!/usr/bin/env python3
"""Trains the `pcft` model: the task and the sizes of `examples/sections`, with functions that are cheap in private.

    python3 -m venv venv
    venv/bin/pip install numpy torch tokenizers safetensors
    venv/bin/python examples/pcft/train.py [OUTPUT_FOLDER]          # default: the folder of this file

ReLU stands for GELU, `relu(x) / (sum relu(x) + eps)` for softmax, and a scale and shift of each column for LayerNorm.
While the model learns, the columns are brought to mean 0 and variance 1 of the batch; in the end the statistics are
part of the scale and shift. The model of `sections` teaches it: its logits are half of what is learned from.

The data, the splits and the tokenizer are those of `sections`, whose script this one imports. It writes
model.safetensors (f16) and held_out.jsonl, and takes about two minutes on one core.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
specification = importlib.util.spec_from_file_location("sections", HERE.parent / "sections" / "train.py")
sections = importlib.util.module_from_spec(specification)
specification.loader.exec_module(sections)

D, LAYERS, HEADS, FFN = sections.D, sections.LAYERS, sections.HEADS, sections.FFN
EPSILON = 0.25  # of the softmax's denominator
EPOCHS, BATCH, RATE = 12, 64, 1e-3
DROPOUT = 0.1
MOMENTUM = 0.02  # of the statistics of columns
HELD_OUT = 96


class Affine(nn.Module):
    """`x · weight + bias`; in training behind the statistics of the batch's kept rows."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(D)), nn.Parameter(torch.zeros(D))
        self.register_buffer("mean", torch.zeros(D))
        self.register_buffer("variance", torch.ones(D))

    def forward(self, x, mask):
        mean, variance = self.mean, self.variance
        if self.training:
            kept = x[mask]
            mean, variance = kept.mean(0), kept.var(0, unbiased=False)
            self.mean.lerp_(mean.detach(), MOMENTUM)
            self.variance.lerp_(variance.detach(), MOMENTUM)
        return (x - mean) * (variance + 1e-5).rsqrt() * self.weight + self.bias

    def merge(self):
        """The statistics become part of scale and shift."""
        scale = (self.variance + 1e-5).rsqrt()
        with torch.no_grad():
            self.bias -= self.mean * scale * self.weight
            self.weight *= scale
        self.mean.zero_()
        self.variance.fill_(1 - 1e-5)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(D, D) for _ in range(3))

    def forward(self, x, mask):
        query, key, value = (self.heads(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / (D // HEADS) ** 0.5
        kept = functional.relu(scores) * mask[:, None, None, :]
        weights = kept / (kept.sum(-1, keepdim=True) + EPSILON)
        return (weights @ value).transpose(1, 2).flatten(2)

    def heads(self, x):
        return x.unflatten(-1, (HEADS, D // HEADS)).transpose(1, 2)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        normed = lambda width: nn.ModuleDict({"dense": nn.Linear(width, D), "LayerNorm": Affine()})
        self.attention = nn.ModuleDict({"self": Attention(), "output": normed(D)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(D, FFN)})
        self.output = normed(FFN)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x, mask):
        attended = self.attention["output"]["dense"](self.attention["self"](x, mask))
        x = self.attention["output"]["LayerNorm"](x + self.drop(attended), mask)
        hidden = functional.relu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.drop(self.output["dense"](hidden)), mask)


class Pcft(sections.Sections):
    """As `Sections`, with other blocks."""

    def __init__(self, vocabulary):
        super().__init__(vocabulary)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Block() for _ in range(LAYERS))})
        self.drop = nn.Dropout(DROPOUT)
        for name, weight in self.encoder.named_parameters():
            if name.endswith("weight") and "LayerNorm" not in name:
                nn.init.normal_(weight, std=0.05)


def teacher(vocabulary):
    model = sections.Sections(vocabulary)
    model.load_state_dict(load_file(HERE.parent / "sections" / "model.safetensors"))
    return model.eval()


def logits_of(model, ids, mask):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(i, m) for i, m in zip(ids.split(512), mask.split(512))])


def train(model, ids, mask, labels, taught, report):
    counts = torch.bincount(labels, minlength=len(sections.SECTIONS)).float()
    weight = counts.rsqrt() / counts.rsqrt().mean()  # small sections count for more
    steps = EPOCHS * (len(labels) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for epoch in range(EPOCHS):
        model.train()
        order = torch.randperm(len(labels))
        for batch in order[: len(order) // BATCH * BATCH].view(-1, BATCH):
            longest = int(mask[batch].sum(1).max())
            logits = model(sections.forgetful(ids[batch, :longest]), mask[batch, :longest])
            own = functional.cross_entropy(logits, labels[batch], weight=weight, label_smoothing=sections.SMOOTHING)
            soft = functional.kl_div(logits.log_softmax(-1), taught[batch].softmax(-1), reduction="batchmean")
            loss = 0.5 * own + soft
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        report(epoch, float(loss.detach()))


def hold_out(model, tokenizer, samples):
    """HELD_OUT samples with the logits of the float model."""
    chosen = sections.in_turn(tokenizer, samples, HELD_OUT)
    with torch.no_grad():
        logits = model.double().eval()(*sections.padded(tokenizer, [text for text, _, _ in chosen])).numpy()
    for (text, section, _), row in zip(chosen, logits, strict=True):
        label = sections.SECTIONS[int(np.argmax(row))]
        yield {"text": text, "section": section, "label": label, "logits": [round(float(x), 4) for x in row]}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    torch.manual_seed(sections.SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    splits = {"train": [], "tune": [], "test": []}
    for sample in sections.descriptions():
        splits[sections.split_of(sample[2])].append(sample)
    splits["train"] = sections.balanced(splits["train"])
    tokenizer = Tokenizer.from_file(str(HERE.parent / "sections" / "tokenizer.json"))
    data = {
        name: (*sections.padded(tokenizer, [s[0] for s in part]), torch.tensor([sections.SECTIONS.index(s[1]) for s in part]))
        for name, part in splits.items()
    }
    exact = teacher(tokenizer.get_vocab_size())
    taught = logits_of(exact, *data["train"][:2])
    model = Pcft(tokenizer.get_vocab_size())
    report = lambda epoch, loss: print(f"epoch {epoch:2} loss {loss:.3f} tune {sections.accuracy(model, *data['tune']):.4f}", flush=True)
    train(model, *data["train"], taught, report)
    for module in model.modules():
        if isinstance(module, Affine):
            module.merge()
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    for name, asked in [("exact", exact), ("pcft", model)]:
        print(f"{name}: test accuracy {sections.accuracy(asked, *data['test']):.4f}")
    weights = {name: weight.detach().half().contiguous() for name, weight in model.named_parameters()}
    save_file(weights, folder / "model.safetensors")
    lines = list(hold_out(model, tokenizer, splits["test"]))
    (folder / "held_out.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    agree = sum(line["label"] == line["section"] for line in lines)
    print(f"held out: {agree} of {len(lines)} right")


if __name__ == "__main__":
    main()
