#!/usr/bin/env python3
"""Trains the `marill` models: a public base, and four private models made from it.

    python3 -m venv venv
    venv/bin/pip install numpy torch tokenizers safetensors
    venv/bin/python examples/marill/train.py [OUTPUT_FOLDER]        # default: the folder of this file

The data, the splits and the tokenizer are those of `examples/sections`, whose script this one imports. The layers of
the base learn from the descriptions of the whole archive, less the packages held out, which packages a package depends on.
From it come, for the task of `sections`:

    standard   all layers and the classifier are tuned
    frozen     the upper layer and the classifier are tuned, the lower ones are the base's
    lora       as frozen, but of the upper layer only low-rank additions are tuned
    merged     as lora, with the heads of the upper layer merged

The model of `sections` teaches all four: its logits are half of what they learn from.
The embeddings are the public ones of `sections` everywhere. It writes model.safetensors (f16, all five) and
held_out.jsonl, and takes about three minutes on one core.
"""

import copy
import importlib.util
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
specification = importlib.util.spec_from_file_location("sections", HERE.parent / "sections" / "train.py")
sections = importlib.util.module_from_spec(specification)
specification.loader.exec_module(sections)

D, HEADS, FFN = 64, 4, 256
LAYERS, UPPER = 4, 1  # of the base; of them tuned in all models but `standard`
RANK = 4
MERGED_HEADS = 1
DEPENDENCIES = 256  # what the base learns to tell: the packages that others depend on most
SHALLOW_EPOCHS, DEEP_EPOCHS = 2, 1  # of the base, at half its depth and whole
DROPOUT = 0.1
BATCH = 128
HELD_OUT = 96
KINDS = ["standard", "frozen", "lora", "merged"]


# --- the model; names are those of a BERT checkpoint ----------------------------------------------------------------


class Adapted(nn.Linear):
    """A linear layer and, once it is asked for, a low-rank addition."""

    rank = 0

    def adapt(self, rank):
        self.rank = rank
        self.down = nn.Linear(self.in_features, rank, bias=False)
        self.up = nn.Linear(rank, self.out_features, bias=False)
        nn.init.normal_(self.down.weight, std=self.in_features**-0.5)
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return super().forward(x) + (self.up(self.down(x)) if self.rank else 0)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = HEADS
        self.query, self.key, self.value = (Adapted(D, D) for _ in range(3))

    def forward(self, x, mask):
        query, key, value = (self.heads(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / (D // self.count) ** 0.5
        weights = scores.masked_fill(~mask[:, None, None, :], float("-inf")).softmax(-1)
        return (weights @ value).transpose(1, 2).flatten(2)

    def heads(self, x):
        return x.unflatten(-1, (self.count, D // self.count)).transpose(1, 2)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        norm = lambda: nn.LayerNorm(D, eps=sections.EPSILON)
        self.attention = nn.ModuleDict({"self": Attention(), "output": nn.ModuleDict({"dense": nn.Linear(D, D), "LayerNorm": norm()})})
        self.intermediate = nn.ModuleDict({"dense": Adapted(D, FFN)})
        self.output = nn.ModuleDict({"dense": Adapted(FFN, D), "LayerNorm": norm()})
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x, mask):
        attended = self.attention["output"]["dense"](self.attention["self"](x, mask))
        x = self.attention["output"]["LayerNorm"](x + self.drop(attended))
        hidden = functional.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.drop(self.output["dense"](hidden)))


class Model(nn.Module):
    def __init__(self, vocabulary, outputs):
        super().__init__()
        self.words = nn.Embedding(vocabulary, D)
        self.positions = nn.Embedding(sections.S, D)
        self.norm = nn.LayerNorm(D, eps=sections.EPSILON)
        self.layers = nn.ModuleList(Block() for _ in range(LAYERS))
        self.classifier = nn.Linear(D, outputs)
        self.drop = nn.Dropout(DROPOUT)
        for name, weight in self.named_parameters():
            if name.endswith("weight") and "norm" not in name.lower():
                nn.init.normal_(weight, std=0.05)

    def embed(self, ids):
        return self.drop(self.norm(self.words(ids) + self.positions(torch.arange(ids.shape[1]))))

    def forward(self, ids, mask):
        return self.read(self.upper(self.lower(ids, mask), mask), mask)

    def lower(self, ids, mask):
        x = self.embed(ids)
        for layer in self.layers[: LAYERS - UPPER]:
            x = layer(x, mask)
        return x

    def upper(self, x, mask):
        for layer in self.layers[LAYERS - UPPER :]:
            x = layer(x, mask)
        return x

    def read(self, x, mask):
        kept = mask[..., None].to(x.dtype)
        return self.classifier(self.drop((x * kept).sum(1) / kept.sum(1)))


# --- the base ---------------------------------------------------------------------------------------------------


def dependencies():
    """Distinct descriptions outside the held-out splits, each with the packages that it names in `Depends`."""
    found = {}
    for package in sections.packages():
        text = package.get("Description", "").strip()
        source = package.get("Source", package.get("Package", "")).split(" ")[0]
        if len(text) < 12 or sections.split_of(source) != "train":
            continue
        names = {part.split("|")[0].split("(")[0].split(":")[0].strip() for part in package.get("Depends", "").split(",")}
        found.setdefault(text, set()).update(names - {""})
    return sorted(found.items())


def dependency_data(tokenizer):
    """Token ids, mask, and the dependencies as a distribution; the last of its elements is for none that is common."""
    samples = dependencies()
    counts = {}
    for _, names in samples:
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    common = sorted(counts, key=lambda name: (-counts[name], name))[: DEPENDENCIES - 1]
    at = {name: index for index, name in enumerate(common)}
    targets = torch.zeros(len(samples), DEPENDENCIES)
    for row, (_, names) in enumerate(samples):
        known = [at[name] for name in names if name in at] or [DEPENDENCIES - 1]
        targets[row, known] = 1.0 / len(known)
    return (*sections.padded(tokenizer, [text for text, _ in samples]), targets)


def embedded(model):
    """With the public embeddings of `sections`, which ask for no gradients."""
    given = teacher(model.words.num_embeddings).embeddings
    model.words.load_state_dict(given["word_embeddings"].state_dict())
    model.positions.load_state_dict(given["position_embeddings"].state_dict())
    model.norm.load_state_dict(given["LayerNorm"].state_dict())
    for part in (model.words, model.positions, model.norm):
        part.requires_grad_(False)
    return model


def train_base(tokenizer):
    """Half its layers first; then each of them twice (progressive stacking, Gong et al. 2019), which costs less."""
    torch.manual_seed(sections.SEED)
    ids, mask, targets = dependency_data(tokenizer)
    model = embedded(Model(tokenizer.get_vocab_size(), DEPENDENCIES))

    def loss(logits, rows):
        return -(targets[rows] * logits.log_softmax(-1)).sum(-1).mean()

    model.layers = model.layers[: LAYERS // 2]
    fit("base, half", model, (ids, mask), loss, SHALLOW_EPOCHS, 1e-3)
    model.layers.extend(copy.deepcopy(layer) for layer in model.layers[: LAYERS // 2])
    fit("base", model, (ids, mask), loss, DEEP_EPOCHS, 7e-4)
    return rounded(model)


# --- training ---------------------------------------------------------------------------------------------------


def batches(mask, seed):
    """Indices of all samples in batches of about equal lengths, in random order."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(mask), generator=generator)
    lengths = mask.sum(1)
    pool = 32 * BATCH
    found = []
    for start in range(0, len(order) - BATCH + 1, pool):
        part = order[start : start + pool]
        part = part[torch.argsort(lengths[part], stable=True)]
        found += [part[at : at + BATCH] for at in range(0, len(part) - BATCH + 1, BATCH)]
    return [found[at] for at in torch.randperm(len(found), generator=generator)]


def fit(name, run, data, loss_of, epochs, rate):
    """Trains the parameters of `run` that ask for gradients. `data` is what it reads and the mask."""
    x, mask = data
    parameters = [parameter for parameter in run.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.05)
    count = len(batches(mask, 0))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * count, pct_start=0.1)
    run.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in batches(mask, epoch):
            longest = int(mask[rows].sum(1).max())
            loss = loss_of(run(x[rows, :longest], mask[rows, :longest]), rows)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        print(f"{name}: epoch {epoch} loss {total / count:.4f}", flush=True)


class Upper(nn.Module):
    """The upper layers and the classifier of a model, on what its lower layers say."""

    def __init__(self, model):
        super().__init__()
        self.layers, self.classifier, self.model = model.layers[LAYERS - UPPER :], model.classifier, [model]

    def forward(self, x, mask):
        model = self.model[0]
        return model.read(model.upper(x, mask), mask)


def teacher(vocabulary):
    model = sections.Sections(vocabulary)
    model.load_state_dict(load_file(HERE.parent / "sections" / "model.safetensors"))
    return model.eval()


def taught_by(labels, logits):
    """Half the cross entropy with the labels, and the distance from a teacher's logits."""
    weights = torch.bincount(labels).float().rsqrt()
    weights /= weights.mean()

    def loss(found, rows):
        own = functional.cross_entropy(found, labels[rows], weight=weights, label_smoothing=sections.SMOOTHING)
        soft = functional.kl_div(found.log_softmax(-1), logits[rows].softmax(-1), reduction="batchmean")
        return 0.5 * own + soft

    return loss


def derived(base):
    """A copy of the base with a classifier of its own."""
    torch.manual_seed(sections.SEED)
    model = copy.deepcopy(base)
    model.classifier = nn.Linear(D, len(sections.SECTIONS))
    return model


def adapted(base, heads):
    """Of the upper layers, only additions of low rank ask for gradients."""
    model = derived(base)
    model.layers.requires_grad_(False)
    for layer in model.layers[LAYERS - UPPER :]:
        attention = layer.attention["self"]
        attention.count = heads
        for part in (attention.query, attention.value, layer.intermediate["dense"], layer.output["dense"]):
            part.adapt(RANK)
    return model


def tuned(kind, base, data):
    """One of the four models."""
    ids, mask, labels = data
    loss = taught_by(labels, of_all(teacher(base.words.num_embeddings), ids, mask))
    if kind == "standard":
        model = derived(base)
        fit(kind, model, (ids, mask), loss, 2, 7e-4)
        return rounded(model)
    # What lies below does not change.
    features = of_all(base.lower, ids, mask)
    model = derived(base) if kind == "frozen" else adapted(base, HEADS if kind == "lora" else MERGED_HEADS)
    fit(kind, Upper(model), (features, mask), loss, 4, 1e-3 if kind == "frozen" else 3e-3)
    return rounded(model)


def of_all(run, x, mask):
    """What `run` says of all samples, without gradients; of padded places, anything."""
    found = None
    with torch.no_grad():
        for rows in torch.argsort(mask.sum(1), stable=True).split(512):
            longest = int(mask[rows].sum(1).max())
            value = run(x[rows, :longest], mask[rows, :longest])
            if value.dim() == 3:
                value = functional.pad(value, (0, 0, 0, mask.shape[1] - longest))
            if found is None:
                found = value.new_zeros(len(mask), *value.shape[1:])
            found[rows] = value
    return found


def rounded(model):
    """Weights as the file holds them, and no dropout."""
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    return model.eval()


# --- files ------------------------------------------------------------------------------------------------------


def tensors(base, models):
    """Everything by the name that the `.ptx` files give it."""
    found = {}

    def add(prefix, module, asked=lambda name: True):
        for name, weight in module.named_parameters():
            if asked(name):
                found[f"{prefix}.{name}"] = weight.detach().half().contiguous()

    add("embeddings.word_embeddings", base.words)
    add("embeddings.position_embeddings", base.positions)
    add("embeddings.LayerNorm", base.norm)
    for at, layer in enumerate(base.layers):
        below = at < LAYERS - UPPER
        add(f"lower.{at}" if below else f"upper.{at - (LAYERS - UPPER)}", layer)
    addition = lambda name: ".down." in name or ".up." in name
    for kind, model in models.items():
        add(f"{kind}.classifier", model.classifier)
        for at, layer in enumerate(model.layers):
            if kind == "standard":
                add(f"standard.layer.{at}", layer)
            elif at >= LAYERS - UPPER:
                add(f"{kind}.{at - (LAYERS - UPPER)}", layer, (lambda name: True) if kind == "frozen" else addition)
    return found


def hold_out(models, tokenizer, samples):
    """HELD_OUT samples with the label and logits of each model."""
    chosen = sections.in_turn(tokenizer, samples, HELD_OUT)
    ids, mask = sections.padded(tokenizer, [text for text, _, _ in chosen])
    logits = {kind: of_all(copy.deepcopy(model).double(), ids, mask) for kind, model in models.items()}
    for row, (text, section, _) in enumerate(chosen):
        line = {"text": text, "section": section}
        for kind, values in logits.items():
            label = sections.SECTIONS[int(values[row].argmax())]
            line[kind] = {"label": label, "logits": [round(float(x), 4) for x in values[row]]}
        yield line


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(HERE.parent / "sections" / "tokenizer.json"))
    splits = {"train": [], "tune": [], "test": []}
    for sample in sections.descriptions():
        splits[sections.split_of(sample[2])].append(sample)
    splits["train"] = sections.balanced(splits["train"])
    data = {
        name: (*sections.padded(tokenizer, [s[0] for s in part]), torch.tensor([sections.SECTIONS.index(s[1]) for s in part]))
        for name, part in splits.items()
    }
    base = train_base(tokenizer)
    models = {kind: tuned(kind, base, data["train"]) for kind in KINDS}
    for kind, model in models.items():
        rates = (f"{name} {sections.accuracy(model, *data[name]):.4f}" for name in ("tune", "test"))
        print(f"{kind}: accuracy {', '.join(rates)}", flush=True)
    save_file(tensors(base, models), folder / "model.safetensors")
    lines = list(hold_out(models, tokenizer, splits["test"]))
    (folder / "held_out.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    for kind in models:
        count = sum(line[kind]["label"] == line["section"] for line in lines)
        print(f"{kind}: held out {count} of {len(lines)} right")


if __name__ == "__main__":
    main()
