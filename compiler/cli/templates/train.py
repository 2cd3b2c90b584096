#!/usr/bin/env python3
"""Trains the weights of the templates of `ptc new` and writes them into their folders, with tokenizers, labels and queries.

Needs torch and safetensors. Every seed is fixed.
"""

import json
import random
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).parent


def save(model, folder):
    save_file({name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def tokenizer(words, special, frame):
    """Lower case, words apart from punctuation, ids in the order of `words`."""
    added = [
        {"id": words.index(s), "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for s in special
    ]
    ends = {s: {"id": s, "ids": [words.index(s)], "tokens": [s]} for s in frame}
    cls = [{"SpecialToken": {"id": s, "type_id": 0}} for s in frame[:1]]
    sep = [[{"SpecialToken": {"id": s, "type_id": kind}} for s in frame[1:]] for kind in (0, 1)]
    text = [{"Sequence": {"id": name, "type_id": kind}} for kind, name in enumerate("AB")]
    template = {"type": "TemplateProcessing", "single": cls + [text[0]] + sep[0],
                "pair": cls + [text[0]] + sep[0] + [text[1]] + sep[1], "special_tokens": ends}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": template if frame else None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(words)}, "unk_token": "[UNK]"},
    }


def fit(model, batches, loss, steps, rate):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    for step in range(steps):
        optimizer.zero_grad()
        value = loss(batches(step))
        value.backward()
        optimizer.step()
    print(f"{type(model).__name__}: loss {value.item():.4f}")


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 16), nn.Linear(16, 2)

    def forward(self, x):
        return self.second(F.relu(self.first(x)))


def mlp(folder):
    torch.manual_seed(1)
    model = Mlp()

    def batch(step):
        x = torch.rand(512, 2) * 4 - 2
        return x, (x.square().sum(1) < 1).long()

    fit(model, batch, lambda b: F.cross_entropy(model(b[0]), b[1]), 4000, 1e-2)
    save(model, folder)
    (folder / "labels.json").write_text('["outside", "inside"]\n')
    points = {"middle": [0.1, -0.2], "near": [0.6, 0.5], "beside": [1.1, 0.6], "far": [-1.5, 1.5]}
    lines(folder / "queries.jsonl", [{"id": k, "inputs": {"x": {"shape": [2], "data": v}}} for k, v in points.items()])
    samples = (torch.rand(64, 2) * 4 - 2).tolist()
    lines(folder / "samples.jsonl", [{"x": {"shape": [2], "data": [round(v, 3) for v in p]}} for p in samples])


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x, mask):
        b, s, d = x.shape
        q, k, v = (f(x).view(b, s, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
        scores = (q @ k.transpose(2, 3) / (d // self.heads) ** 0.5).masked_fill(~mask[:, None, None, :], -1e9)
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, s, d)


def group(**parts):
    return nn.ModuleDict(parts)


class Bert(nn.Module):
    def __init__(self, words, places, d, heads, ffn):
        super().__init__()
        self.embeddings = group(word_embeddings=nn.Embedding(words, d), position_embeddings=nn.Embedding(places, d),
                                LayerNorm=nn.LayerNorm(d, 1e-12))
        output = group(dense=nn.Linear(d, d), LayerNorm=nn.LayerNorm(d, 1e-12))
        layer = group(attention=nn.ModuleDict({"self": Attention(d, heads), "output": output}),
                      intermediate=group(dense=nn.Linear(d, ffn)),
                      output=group(dense=nn.Linear(ffn, d), LayerNorm=nn.LayerNorm(d, 1e-12)))
        self.encoder = group(layer=nn.ModuleList([layer]))
        self.classifier = nn.Linear(d, 2)

    def forward(self, ids, mask):
        e = self.embeddings
        x = e["LayerNorm"](e["word_embeddings"](ids) + e["position_embeddings"].weight[: ids.shape[1]])
        for layer in self.encoder["layer"]:
            attention, output = layer["attention"], layer["output"]
            mixed = attention["output"]["dense"](attention["self"](x, mask))
            x = attention["output"]["LayerNorm"](x + mixed)
            x = output["LayerNorm"](x + output["dense"](F.gelu(layer["intermediate"]["dense"](x))))
        weights = mask / mask.sum(1, keepdim=True)
        return self.classifier((weights[:, :, None] * x).sum(1))


THINGS = "food service room staff film book music phone battery screen coffee view story ending driver price".split()
GOOD = "good great lovely excellent friendly wonderful fast clean fresh brilliant perfect helpful beautiful fun".split()
BAD = "bad awful terrible slow rude dirty boring broken cold ugly poor noisy useless stale".split()
OTHER = "the a was is were it and but not very really quite so i we my our this that had everything nothing here again will come back never loved hated enjoyed liked disliked recommend would .".split()


def sentence(rng):
    good = rng.random() < 0.5
    word = lambda kind: rng.choice(GOOD if kind else BAD)
    degree = rng.choice(["", "very ", "really ", "quite ", "so "])
    thing, other = rng.sample(THINGS, 2)
    text = rng.choice([
        f"the {thing} was {degree}{word(good)}",
        f"the {thing} was not {degree}{word(not good)}",
        f"{rng.choice(['my', 'our', 'this'])} {thing} is {degree}{word(good)} and the {other} was {word(good)}",
        f"i {rng.choice(['loved', 'enjoyed', 'liked'] if good else ['hated', 'disliked'])} the {thing}",
        f"the {thing} was {word(not good)} but everything here was {degree}{word(good)}",
        f"{degree}{word(good)} {thing} . we will {'' if good else 'never '}come back",
        f"i would {'' if good else 'not '}recommend this {thing}",
    ])
    return text, int(good)


def bert(folder):
    torch.manual_seed(2)
    rng = random.Random(2)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = special + THINGS + GOOD + BAD + OTHER
    assert len(words) <= 96 and len(set(words)) == len(words), len(words)
    number = {word: at for at, word in enumerate(words)}
    model = Bert(96, 32, 32, 2, 64)

    def encode(texts, size=16):
        rows = [[2] + [number.get(w, 1) for w in t.split()] + [3] for t in texts]
        ids = torch.tensor([row + [0] * (size - len(row)) for row in rows])
        return ids, torch.tensor([[at < len(row) for at in range(size)] for row in rows])

    def batch(step):
        texts, labels = zip(*(sentence(rng) for _ in range(128)))
        # A word that is not known now and then.
        texts = [" ".join("?" if rng.random() < 0.03 else w for w in t.split()) for t in texts]
        return *encode(texts), torch.tensor(labels)

    fit(model, batch, lambda b: F.cross_entropy(model(b[0], b[1]), b[2]), 1500, 2e-3)
    texts, labels = zip(*(sentence(rng) for _ in range(500)))
    right = (model(*encode(texts)).argmax(1) == torch.tensor(labels)).float().mean()
    print(f"Bert: {right:.3f} of 500 new sentences right")
    save(model, folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(words, special, ["[CLS]", "[SEP]"])) + "\n")
    (folder / "labels.json").write_text('["complaint", "praise"]\n')
    asked = ["The coffee was not very good", "Really friendly staff and the room was clean", "I hated the ending",
             "the price was poor but everything here was excellent"]
    lines(folder / "queries.jsonl", [{"id": at + 1, "text": text} for at, text in enumerate(asked)])
    (folder / "samples.txt").write_text("".join(sentence(rng)[0] + "\n" for _ in range(64)))


class Gpt(nn.Module):
    def __init__(self, words, places, d, heads):
        super().__init__()
        conv = lambda i, o: Conv1D(i, o)
        self.heads = heads
        self.wte, self.wpe = nn.Embedding(words, d), nn.Embedding(places, d)
        self.h = nn.ModuleList([group(ln_1=nn.LayerNorm(d), attn=group(c_attn=conv(d, 3 * d), c_proj=conv(d, d)),
                                      ln_2=nn.LayerNorm(d), mlp=group(c_fc=conv(d, 4 * d), c_proj=conv(4 * d, d)))])
        self.ln_f, self.lm_head = nn.LayerNorm(d), nn.Linear(d, words, bias=False)

    def forward(self, ids):
        b, s = ids.shape
        x = self.wte(ids) + self.wpe.weight[:s]
        for layer in self.h:
            q, k, v = layer["attn"]["c_attn"](layer["ln_1"](x)).chunk(3, -1)
            q, k, v = (t.view(b, s, self.heads, -1).transpose(1, 2) for t in (q, k, v))
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, s, -1)
            x = x + layer["attn"]["c_proj"](mixed)
            x = x + layer["mlp"]["c_proj"](F.gelu(layer["mlp"]["c_fc"](layer["ln_2"](x)), approximate="tanh"))
        return self.lm_head(self.ln_f(x))


class Conv1D(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(i, o) * 0.05), nn.Parameter(torch.zeros(o))

    def forward(self, x):
        return x @ self.weight + self.bias


# Jane Taylor, "The Star", 1806.
RHYME = """twinkle twinkle little star how i wonder what you are up above the world so high like a diamond in the sky
when the blazing sun is gone when he nothing shines upon then you show your little light twinkle twinkle all the night""".split()


def gpt(folder):
    torch.manual_seed(3)
    words = ["[PAD]", "[UNK]"] + sorted(set(RHYME))
    assert len(words) <= 40, len(words)
    labels = words + [f"[UNUSED{at}]" for at in range(40 - len(words))]
    number = {word: at for at, word in enumerate(words)}
    rhyme = torch.tensor([number[word] for word in RHYME])
    model = Gpt(40, 16, 32, 2)

    def batch(step):
        starts = torch.randint(0, len(rhyme) - 13, (64,))
        rows = torch.stack([rhyme[start : start + 13] for start in starts])
        return rows[:, :-1], rows[:, 1:]

    fit(model, batch, lambda b: F.cross_entropy(model(b[0]).flatten(0, 1), b[1].flatten()), 800, 3e-3)
    save(model, folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(words, words[:2], [])) + "\n")
    (folder / "labels.json").write_text(json.dumps(labels) + "\n")
    asked = ["twinkle twinkle little", "up above the world so", "like a diamond in the", "when the blazing sun is"]
    lines(folder / "queries.jsonl", [{"id": at + 1, "text": text} for at, text in enumerate(asked)])
    samples = [" ".join(RHYME[start : start + 4 + start % 9]) for start in range(len(RHYME) - 12)]
    (folder / "samples.txt").write_text("\n".join(samples) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    mlp(HERE / "mlp")
    bert(HERE / "bert")
    gpt(HERE / "gpt")
