#!/usr/bin/env python3
"""Makes `checkpoint/`: a classifier as the `transformers` library saves it, for `ptc import hf`.

    python3 -m venv venv
    venv/bin/pip install numpy torch tokenizers safetensors transformers
    venv/bin/python examples/imported/train.py

The task and the data are those of `examples/sections` (Debian's package lists, read from apt). The model is a
`BertForSequenceClassification` that starts from the encoder of that example and learns a pooler and a classifier. It writes
config.json, model.safetensors, tokenizer.json, calibration.txt and held_out.jsonl with the float model's logits, and takes
about two minutes on two cores.
"""

import importlib.util
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification

HERE = Path(__file__).resolve().parent
SECTIONS_FOLDER = HERE.parent / "sections"
EPOCHS, RATE = 5, 5e-4
HELD_OUT = 60

spec = importlib.util.spec_from_file_location("sections", SECTIONS_FOLDER / "train.py")
sections = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sections)


class Logits(torch.nn.Module):
    """The classifier with the signature that the sections' training loop calls."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, ids, mask):
        return self.bert(input_ids=ids, attention_mask=mask.long()).logits


def start():
    """A fresh classifier over the encoder that the sections' example trained."""
    names = dict(enumerate(sections.SECTIONS))
    config = BertConfig(
        vocab_size=sections.VOCABULARY,
        hidden_size=sections.D,
        num_hidden_layers=sections.LAYERS,
        num_attention_heads=sections.HEADS,
        intermediate_size=sections.FFN,
        max_position_embeddings=sections.S,
        hidden_dropout_prob=sections.DROPOUT,
        id2label=names,
        label2id={name: at for at, name in names.items()},
    )
    bert = BertForSequenceClassification(config)
    encoder = load_file(SECTIONS_FOLDER / "model.safetensors")
    encoder = {f"bert.{name}": weight for name, weight in encoder.items() if not name.startswith("classifier")}
    bert.load_state_dict(encoder, strict=False)
    return bert


def main():
    folder = HERE / "checkpoint"
    torch.manual_seed(sections.SEED)
    torch.set_num_threads(2)
    sections.EPOCHS, sections.RATE = EPOCHS, RATE
    splits = {"train": [], "tune": [], "test": []}
    for sample in sections.descriptions():
        splits[sections.split_of(sample[2])].append(sample)
    splits["train"] = sections.balanced(splits["train"])
    tokenizer = Tokenizer.from_file(str(SECTIONS_FOLDER / "tokenizer.json"))
    data = {
        name: (
            *sections.padded(tokenizer, [sample[0] for sample in part]),
            torch.tensor([sections.SECTIONS.index(sample[1]) for sample in part]),
        )
        for name, part in splits.items()
    }
    model = Logits(start())
    report = lambda epoch, loss: print(f"epoch {epoch} loss {loss:.3f} tune {sections.accuracy(model, *data['tune']):.3f}", flush=True)
    sections.train(model, *data["train"], report)
    print(f"test accuracy {sections.accuracy(model, *data['test']):.4f}")

    model.bert.save_pretrained(folder)
    shutil.copy(SECTIONS_FOLDER / "tokenizer.json", folder / "tokenizer.json")
    sections.HELD_OUT = HELD_OUT
    lines = list(sections.hold_out(model, tokenizer, splits["test"]))
    (HERE / "held_out.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    (HERE / "calibration.txt").write_text("\n".join(sections.calibration(tokenizer, splits["tune"])) + "\n")


if __name__ == "__main__":
    main()
