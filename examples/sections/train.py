#!/usr/bin/env python3
"""Trains the `sections` model: which archive section does a package description belong to?

    python3 -m venv venv
    venv/bin/pip install numpy torch tokenizers safetensors
    venv/bin/python examples/sections/train.py [OUTPUT_FOLDER]      # default: the folder of this file

It reads, at run time, the package lists that apt holds (`Packages` files of every Debian archive in
`sources.list`, found by `apt-get indextargets` and read by `/usr/lib/apt/apt-helper cat-file`; Debian packages `apt`
and nothing else; run `apt-get update` first where the lists are absent). Nothing is downloaded. From each package it
takes `Section`, the one-line `Description` and `Source`. Packages of one source always fall in the same split, so
no held-out description has a sibling in training.

It writes labels.json, model.safetensors, held_out.jsonl, calibration.txt, and tokenizer.json unless the folder has one: the trainer
of the tokenizers package breaks ties at random, all else follows from the seed. So the same tokenizer, package
lists and library versions give the same model. It takes one to two minutes on two cores.
"""

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from torch.nn import functional

SECTIONS = [
    "doc", "fonts", "games", "gnu-r", "haskell", "libdevel", "mail", "net", "python", "rust", "science", "sound",
]
SEED = 20
S = 32  # tokens, [CLS] and [SEP] included
VOCABULARY = 4000
D, LAYERS, HEADS, FFN = 64, 2, 4, 256
PER_SECTION = 1600  # descriptions of one section used for training, at most
EPOCHS, BATCH, RATE, SMOOTHING = 12, 64, 1e-3, 0.05
DROPOUT, FORGOTTEN = 0.2, 0.15  # of hidden values, of input tokens (which become [UNK])
HELD_OUT = 200
CALIBRATION = 112
ODD = ["a", "?", "games", "rust rust rust rust rust rust rust rust", "3.14 2.71 1.41", "qwzx vbnk", "Bücher", "(: ; , . - _ / )"]
EPSILON = 1e-12


# --- the package lists ------------------------------------------------------------------------------------------


def packages():
    """Yields every stanza of every package list as a dictionary of its one-line fields."""
    listing = ["apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"]
    files = sorted(subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split())
    if not files:
        sys.exit("no package lists: run `apt-get update` first")
    for file in files:
        read = ["/usr/lib/apt/apt-helper", "cat-file", file]
        text = subprocess.run(read, check=True, capture_output=True, text=True).stdout
        for stanza in text.split("\n\n"):
            fields = (line.split(": ", 1) for line in stanza.splitlines() if not line.startswith(" "))
            yield {field[0]: field[1] for field in fields if len(field) == 2}


def descriptions():
    """Distinct descriptions of the chosen sections as sorted (text, section, source) triples."""
    found = {}
    for package in packages():
        section, text = package.get("Section"), package.get("Description", "").strip()
        if section in SECTIONS and len(text) >= 12:
            source = package.get("Source", package["Package"]).split(" ")[0]
            found.setdefault(text, []).append((section, source))
    # The same words in two sections teach nothing.
    return sorted((text, *min(where)) for text, where in found.items() if len({section for section, _ in where}) == 1)


def split_of(source):
    """`train`, `tune` or `test`, by a hash of the source package's name."""
    tenth = hashlib.sha256(source.encode()).digest()[0] % 10
    return {0: "test", 1: "tune"}.get(tenth, "train")


# --- the tokenizer ----------------------------------------------------------------------------------------------


def train_tokenizer(texts):
    """A lower-casing WordPiece tokenizer with BERT's special tokens; `[PAD]` is 0."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=VOCABULARY, min_frequency=2, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))],
    )
    return tokenizer


def padded(tokenizer, texts):
    """Token ids and mask, both [texts, S]; longer texts are cut."""
    ids = torch.zeros(len(texts), S, dtype=torch.long)
    mask = torch.zeros(len(texts), S, dtype=torch.bool)
    for row, encoding in enumerate(tokenizer.encode_batch(texts)):
        tokens = encoding.ids if len(encoding.ids) <= S else encoding.ids[: S - 1] + encoding.ids[-1:]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = True
    return ids, mask


# --- the model; names are those of a BERT checkpoint ----------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(D, D) for _ in range(3))

    def forward(self, x, mask):
        query, key, value = (self.heads(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / (D // HEADS) ** 0.5
        weights = scores.masked_fill(~mask[:, None, None, :], float("-inf")).softmax(-1)
        return (weights @ value).transpose(1, 2).flatten(2)

    def heads(self, x):
        return x.unflatten(-1, (HEADS, D // HEADS)).transpose(1, 2)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        normed = lambda width: nn.ModuleDict({"dense": nn.Linear(width, D), "LayerNorm": nn.LayerNorm(D, eps=EPSILON)})
        self.attention = nn.ModuleDict({"self": Attention(), "output": normed(D)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(D, FFN)})
        self.output = normed(FFN)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x, mask):
        attended = self.attention["output"]["dense"](self.attention["self"](x, mask))
        x = self.attention["output"]["LayerNorm"](x + self.drop(attended))
        hidden = functional.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.drop(self.output["dense"](hidden)))


class Sections(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(vocabulary, D),
                "position_embeddings": nn.Embedding(S, D),
                "LayerNorm": nn.LayerNorm(D, eps=EPSILON),
            }
        )
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Block() for _ in range(LAYERS))})
        self.classifier = nn.Linear(D, len(SECTIONS))
        self.drop = nn.Dropout(DROPOUT)
        for name, weight in self.named_parameters():
            if name.endswith("weight") and "LayerNorm" not in name:
                nn.init.normal_(weight, std=0.05)

    def forward(self, ids, mask):
        places = torch.arange(ids.shape[1])
        x = self.embeddings["word_embeddings"](ids) + self.embeddings["position_embeddings"](places)
        x = self.drop(self.embeddings["LayerNorm"](x))
        for block in self.encoder["layer"]:
            x = block(x, mask)
        kept = mask[..., None].to(x.dtype)
        return self.classifier(self.drop((x * kept).sum(1) / kept.sum(1)))


# --- training ---------------------------------------------------------------------------------------------------


def balanced(samples):
    """At most PER_SECTION of each section, in a fixed random order."""
    shuffled = random.Random(SEED).sample(samples, len(samples))
    return [sample for section in SECTIONS for sample in [s for s in shuffled if s[1] == section][:PER_SECTION]]


def train(model, ids, mask, labels, report):
    counts = torch.bincount(labels, minlength=len(SECTIONS)).float()
    weight = counts.rsqrt() / counts.rsqrt().mean()  # small sections count for more
    steps = EPOCHS * (len(labels) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for epoch in range(EPOCHS):
        model.train()
        order = torch.randperm(len(labels))
        for batch in order[: len(order) // BATCH * BATCH].view(-1, BATCH):
            longest = int(mask[batch].sum(1).max())
            logits = model(forgetful(ids[batch, :longest]), mask[batch, :longest])
            loss = functional.cross_entropy(logits, labels[batch], weight=weight, label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        report(epoch, float(loss.detach()))


def forgetful(ids):
    """Some tokens replaced by `[UNK]`, so that no single word decides; special tokens (ids below 5) stay."""
    forgotten = (torch.rand(ids.shape) < FORGOTTEN) & (ids >= 5)
    return ids.masked_fill(forgotten, 1)


def accuracy(model, ids, mask, labels):
    model.eval()
    with torch.no_grad():
        return float((model(ids, mask).argmax(1) == labels).double().mean())


def in_turn(tokenizer, samples, count):
    """`count` samples that fit in S tokens, sections in turn."""
    fitting = [s for s in random.Random(SEED).sample(samples, len(samples)) if len(tokenizer.encode(s[0]).ids) <= S]
    queues = [[s for s in fitting if s[1] == section] for section in SECTIONS]
    return [queue[turn] for turn in range(count) for queue in queues if turn < len(queue)][:count]


def hold_out(model, tokenizer, samples):
    """HELD_OUT samples with the logits of the float model."""
    chosen = in_turn(tokenizer, samples, HELD_OUT)
    with torch.no_grad():
        logits = model.double().eval()(*padded(tokenizer, [text for text, _, _ in chosen])).numpy()
    for (text, section, _), row in zip(chosen, logits, strict=True):
        label = SECTIONS[int(np.argmax(row))]
        yield {"text": text, "section": section, "label": label, "logits": [round(float(x), 6) for x in row]}


def calibration(tokenizer, samples):
    """Texts for `ptc calibrate`: CALIBRATION samples, and what people type by mistake."""
    return [text for text, _, _ in in_turn(tokenizer, samples, CALIBRATION)] + ODD


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(2)
    splits = {"train": [], "tune": [], "test": []}
    for sample in descriptions():
        splits[split_of(sample[2])].append(sample)
    splits["train"] = balanced(splits["train"])
    tokenizer_file = folder / "tokenizer.json"
    if not tokenizer_file.exists():
        train_tokenizer([text for text, _, _ in splits["train"]]).save(str(tokenizer_file))
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    data = {
        name: (*padded(tokenizer, [s[0] for s in part]), torch.tensor([SECTIONS.index(s[1]) for s in part]))
        for name, part in splits.items()
    }
    model = Sections(tokenizer.get_vocab_size())
    report = lambda epoch, loss: print(f"epoch {epoch:2} loss {loss:.3f} tune {accuracy(model, *data['tune']):.3f}", flush=True)
    train(model, *data["train"], report)
    print({name: len(part) for name, part in splits.items()}, f"test accuracy {accuracy(model, *data['test']):.4f}")

    (folder / "labels.json").write_text(json.dumps(SECTIONS) + "\n")
    save_file({name: weight.detach().contiguous() for name, weight in model.state_dict().items()}, folder / "model.safetensors")
    lines = list(hold_out(model, tokenizer, splits["test"]))
    (folder / "held_out.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    (folder / "calibration.txt").write_text("\n".join(calibration(tokenizer, splits["tune"])) + "\n")
    right = sum(line["label"] == line["section"] for line in lines)
    print(f"held out: {right} of {len(lines)} right")


if __name__ == "__main__":
    main()
