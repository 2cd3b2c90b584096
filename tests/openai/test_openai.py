#!/usr/bin/env python3
"""The official `openai` package against `ptc client`: the same embeddings as a direct run, errors as the package knows them.

Usage: test_openai.py PTC [--model sections|minilm]

Makes a virtual environment with the package where there is none yet (PTC_OPENAI_VENV, or a folder in the temporary one).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.environ.get("PTC_OPENAI_VENV", os.path.join(tempfile.gettempdir(), "ptc-openai-venv"))

TEXTS = ["surreal platform shooting game", "a font for the console", "documentation of a library"]

# The options of a build and of the server; the largest distance of two runs from each other.
MODELS = {
    "sections": (["--dim", "S=16"], [], 3e-2),
    "minilm": (["--dim", "S=16"], ["--unused", "pooler", "--unused", "embeddings.position_ids"], 5e-3),
}


def inside():
    """Runs this script again with the package's Python, made first where it is not there."""
    python = os.path.join(VENV, "bin", "python")
    try:
        import openai  # noqa: F401
        return
    except ImportError:
        pass
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV):
        sys.exit(f"`{VENV}` has no `openai`: remove it and try again")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "openai", "numpy"], check=True)
    os.execv(python, [python, *sys.argv])


def start(command, *texts):
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    found = []
    for text in texts:
        for line in process.stderr:
            if text in line:
                found.append(line.split(text)[1].strip())
                break
        else:
            sys.exit(f"{' '.join(command)} ended without `{text}`")
    threading.Thread(target=lambda: process.stderr.read(), daemon=True).start()
    return process, found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ptc")
    parser.add_argument("--model", choices=MODELS, default="sections")
    options = parser.parse_args()
    inside()
    import openai

    build, serve, tolerance = MODELS[options.model]
    folder = tempfile.TemporaryDirectory()
    plan, cache, token = (f"{folder.name}/{name}" for name in ("model.plan", "cache", "token"))
    data = f"{ROOT}/examples/{options.model}" + ("/model" if options.model == "minilm" else "")
    tokenizer = ["--tokenizer", f"{data}/tokenizer.json"]
    with open(token, "w") as file:
        file.write("sk-on-this-machine\n")
    subprocess.run([options.ptc, "build", f"{ROOT}/examples/{options.model}/{options.model}.ptx", "-o", plan, *build],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server, (address,) = start([options.ptc, "serve", plan, "--listen", "127.0.0.1:0", "--cache", cache, "--weights",
                                f"{data}/model.safetensors", *serve], " on ")
    gateway, (base,) = start([options.ptc, "client", plan, "--connect", address, "--http", "127.0.0.1:0", "--cache",
                              cache, "--sessions", "2", "--model", options.model, "--token-file", token, *tokenizer],
                             "answering on ")
    direct = subprocess.run([options.ptc, "run", plan, "--party", "1", "--connect", address, "--cache", cache,
                             *tokenizer, *(word for text in TEXTS for word in ("--text", text))],
                            check=True, capture_output=True, text=True).stdout
    expected = [next(iter(json.loads(line).values()))["data"] for line in direct.splitlines()]

    client = openai.OpenAI(base_url=base, api_key="sk-on-this-machine", max_retries=0)
    # The package asks for base64 by itself.
    for encoding in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        answer = client.embeddings.create(model=options.model, input=TEXTS, **encoding)
        if encoding.get("encoding_format") == "base64":
            import base64
            import struct
            vectors = [struct.unpack(f"<{len(expected[0])}f", base64.b64decode(item.embedding)) for item in answer.data]
        else:
            vectors = [item.embedding for item in answer.data]
        far = max(abs(a - b) for v, e in zip(vectors, expected, strict=True) for a, b in zip(v, e, strict=True))
        assert far <= tolerance, f"{far} from the direct run"
        assert [item.index for item in answer.data] == [0, 1, 2] and answer.model == options.model
        assert answer.usage.prompt_tokens == answer.usage.total_tokens > 6
        print(f"embeddings {encoding or 'as the package asks'}: {far:.1e} from a direct run")
    one = client.embeddings.create(model=options.model, input=TEXTS[0]).data
    assert len(one) == 1
    assert len(client.embeddings.create(model=options.model, input=[[1, 2, 3], [4]]).data) == 2
    assert [model.id for model in client.models.list()] == [options.model]
    assert client.models.retrieve(options.model).id == options.model

    def refused(kind, **asked):
        try:
            client.embeddings.create(**{"model": options.model, "input": "a", **asked})
        except kind as error:
            print(f"{kind.__name__}: {error.body['message'].splitlines()[0]}")
            return
        sys.exit(f"{asked} was not refused")

    refused(openai.NotFoundError, model="text-embedding-3-small")
    refused(openai.BadRequestError, dimensions=7)
    refused(openai.BadRequestError, input="word " * 100)
    refused(openai.BadRequestError, input="")
    client = openai.OpenAI(base_url=base, api_key="sk-wrong", max_retries=0)
    refused(openai.AuthenticationError)
    client = openai.OpenAI(base_url=base, api_key="sk-on-this-machine", max_retries=0)

    # With a query prepared, the online part is all that is waited for.
    time.sleep(5)
    seconds = []
    for _ in range(5):
        begun = time.time()
        client.embeddings.create(model=options.model, input=TEXTS[0])
        seconds.append(time.time() - begun)
        time.sleep(5)
    print(f"a text by the package, prepared while nobody asked: {sorted(seconds)[2]:.3f} s; "
          f"load {os.getloadavg()[0]:.1f}")
    server.kill()
    refused(openai.APIStatusError)
    gateway.terminate()
    assert gateway.wait(40) == 0


main()
