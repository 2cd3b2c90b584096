#!/usr/bin/env python3
"""Small random checkpoints of every family, with what transformers computes of them.

    python3 -m venv venv
    venv/bin/pip install numpy torch transformers safetensors
    venv/bin/python tests/reference/make.py [FAMILY ...]

Each folder gets config.json and safetensors as a checkpoint of the hub has them, `inputs.jsonl` (a query a line, named as
the entry's arguments) and `expected.jsonl` (the float result of each). Rows beyond a text are padding: the mask is 0, the ids
are the padding's. Weights are larger than those of an untrained model, and norms and biases are random too, so that a wrong
axis, a lost bias or a swapped half shows. What is stored narrow (f16, bf16) is computed in f32 from the stored numbers.
"""

import copy
import json
import random
import sys
from pathlib import Path

import torch
import transformers as t

HERE = Path(__file__).parent
S, QUERIES, VOCABULARY, D, HEADS, FFN, LAYERS = 10, 12, 96, 32, 4, 64, 2
SIZES = {"hidden_size": D, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": FFN}
TEXT = {"vocab_size": VOCABULARY, "initializer_range": 0.2}
LABELS = {"id2label": {0: "low", 1: "middle", 2: "high"}, "label2id": {"low": 0, "middle": 1, "high": 2}}


def bert(heads):
    return heads(t.BertConfig(**SIZES, **TEXT, **LABELS, max_position_embeddings=16))


def roberta():
    places = {"max_position_embeddings": 18, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    return t.RobertaForSequenceClassification(t.RobertaConfig(**SIZES, **TEXT, **LABELS, **places))


def distilbert():
    sizes = {"dim": D, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": FFN, "max_position_embeddings": 16}
    return t.DistilBertForSequenceClassification(t.DistilBertConfig(**sizes, **TEXT, **LABELS))


def mpnet():
    places = {"max_position_embeddings": 18, "layer_norm_eps": 1e-5}
    return t.MPNetModel(t.MPNetConfig(**SIZES, **TEXT, **places), add_pooling_layer=False)


def gpt2():
    sizes = {"n_embd": D, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 16, "n_inner": None}
    return t.GPT2LMHeadModel(t.GPT2Config(**sizes, **TEXT, bos_token_id=1, eos_token_id=2))


def decoder(model, config, **more):
    grouped = {"num_key_value_heads": 2, "max_position_embeddings": 32, "bos_token_id": 1, "eos_token_id": 2}
    return model(config(**SIZES, **TEXT, **grouped, **more))


def llama():
    return decoder(t.LlamaForCausalLM, t.LlamaConfig, tie_word_embeddings=False, rms_norm_eps=1e-5)


def mistral():
    return decoder(t.MistralForCausalLM, t.MistralConfig, sliding_window=None, head_dim=8)


def qwen2():
    theta = {"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}
    return decoder(t.Qwen2ForCausalLM, t.Qwen2Config, tie_word_embeddings=True, rms_norm_eps=1e-6, **theta)


def qwen3():
    return decoder(t.Qwen3ForCausalLM, t.Qwen3Config, tie_word_embeddings=True, head_dim=12)


def vit():
    config = t.ViTConfig(**SIZES, **LABELS, image_size=16, patch_size=4, initializer_range=0.2)
    return t.ViTForImageClassification(config)


# Family: model, stored type, largest file.
FAMILIES = {
    "bert": (lambda: bert(t.BertForSequenceClassification), torch.float32, "1GB"),
    "bert_tokens": (lambda: bert(t.BertForTokenClassification), torch.float32, "1GB"),
    "roberta": (roberta, torch.float16, "1GB"),
    "distilbert": (distilbert, torch.float32, "1GB"),
    "mpnet": (mpnet, torch.float32, "1GB"),
    "gpt2": (gpt2, torch.float32, "70KB"),
    "llama": (llama, torch.bfloat16, "1GB"),
    "mistral": (mistral, torch.float32, "1GB"),
    "qwen2": (qwen2, torch.float32, "1GB"),
    "qwen3": (qwen3, torch.float32, "1GB"),
    "vit": (vit, torch.float32, "1GB"),
}
PADDING = {"bert": 0, "bert_tokens": 0, "roberta": 1, "distilbert": 0, "mpnet": 1}
LAST_ROW = {"gpt2", "llama", "mistral", "qwen2", "qwen3"}


def make(family):
    torch.manual_seed(17)
    build, stored, largest = FAMILIES[family]
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                # Scales stay near 1, shifts near 0.
                parameter.add_(torch.randn(parameter.shape) * 0.2)
            elif parameter.std() < 0.1:
                # The class token and the places of a ViT begin at 0.
                parameter.copy_(torch.randn(parameter.shape) * 0.2)
    folder = HERE / family
    folder.mkdir(exist_ok=True)
    for old in list(folder.glob("*.safetensors")) + list(folder.glob("*.index.json")):
        old.unlink()
    copy.deepcopy(model).to(stored).save_pretrained(folder, max_shard_size=largest)
    (folder / "generation_config.json").unlink(missing_ok=True)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)
    if family == "llama":
        older_config(folder / "config.json")
    with torch.no_grad():
        # Of the parameters alone: tables of angles are computed, not stored.
        for parameter in model.parameters():
            parameter.copy_(parameter.to(stored))
    if family == "mpnet":
        sentence_transformer(folder)
    generator = random.Random(family)
    queries = [query(family, generator, index) for index in range(QUERIES)]
    with open(folder / "inputs.jsonl", "w") as inputs, open(folder / "expected.jsonl", "w") as expected:
        for given in queries:
            inputs.write(json.dumps({name: array(x) for name, x in given.items()}) + "\n")
            expected.write(json.dumps(array(evaluate(family, model, given))) + "\n")
    print(f"{family}: {sum(file.stat().st_size for file in folder.iterdir()) // 1000} kB")


def older_config(file):
    """As transformers 4 wrote it, and as most checkpoints have it."""
    config = json.loads(file.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.40.0"
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def sentence_transformer(folder):
    """What sentence-transformers has beside the encoder: the mean of the rows, scaled to length 1."""
    steps = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(steps)
    ]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n")
    pooling = {
        "word_embedding_dimension": D,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling, indent=2) + "\n")


def query(family, generator, index):
    if family == "vit":
        pixels = [round(generator.uniform(-1, 1), 3) for _ in range(3 * 16 * 16)]
        return {"pixels": torch.tensor(pixels).reshape(3, 16, 16)}
    length = S if index == 0 else generator.randint(3, S)
    padding = PADDING.get(family, 0)
    ids = [generator.randint(3, VOCABULARY - 1) for _ in range(length)] + [padding] * (S - length)
    given = {"ids": torch.tensor(ids), "mask": torch.tensor([1] * length + [0] * (S - length))}
    if family == "bert":
        second = generator.randint(1, length - 1)
        given["kinds"] = torch.tensor([0] * second + [1] * (length - second) + [0] * (S - length))
    return given


def evaluate(family, model, given):
    names = {"ids": "input_ids", "mask": "attention_mask", "kinds": "token_type_ids", "pixels": "pixel_values"}
    with torch.no_grad():
        out = model(**{names[name]: x[None] for name, x in given.items()})
    if family == "mpnet":
        kept = given["mask"][:, None]
        mean = (out.last_hidden_state[0] * kept).sum(0) / kept.sum()
        return torch.nn.functional.normalize(mean, dim=0)
    logits = out.logits[0]
    return logits[given["mask"].sum() - 1] if family in LAST_ROW else logits


def array(x):
    data = [round(number, 6) if isinstance(number, float) else number for number in x.flatten().tolist()]
    return {"shape": list(x.shape), "data": data}


if __name__ == "__main__":
    for family in sys.argv[1:] or FAMILIES:
        make(family)
