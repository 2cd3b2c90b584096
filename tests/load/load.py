#!/usr/bin/env python3
"""Many clients of one `ptc serve`, one in five of them killed: every answer is compared, nothing may leak.

Usage: load.py PTC [--model hello|sections|minilm] [--sessions 500] [--clients 16] [--killed 0.2] [--seed 1]

A client that is to die is either killed (SIGKILL) after a random part of a session's usual time, or its connection is cut
after a random number of bytes, by a relay between it and the server. What is left of the server (memory, open files,
threads) is read from its `/metrics` when nobody is connected: at the start, every hundred sessions, and at the end.
"""

import argparse
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# The options of a build, of the server and of a client; the largest distance from the expected result.
MODELS = {
    "hello": ([], [], ["--input", "x=" + ROOT + "/examples/hello/x.json"], 2e-3),
    "sections": (["--dim", "S=16"], [], ["--tokenizer", ROOT + "/examples/sections/tokenizer.json", "--text",
                                         "surreal platform shooting game"], 3e-2),
    "minilm": (["--dim", "S=8"], ["--unused", "pooler", "--unused", "embeddings.position_ids"],
               ["--tokenizer", ROOT + "/examples/minilm/model/tokenizer.json", "--text", "A man plays a flute."], 5e-3),
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ptc")
    parser.add_argument("--model", choices=MODELS, default="hello")
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--killed", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def start(command, *texts):
    """A process, and what follows each of `texts` on its standard error."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    found = []
    for text in texts:
        for line in process.stderr:
            if text in line:
                found.append(line.split(text)[1].strip())
                break
        else:
            sys.exit(f"{' '.join(command)} ended without `{text}`")
    lines = []
    threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True).start()
    return process, found, lines


def numbers(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {key: float(value) for key, value in re.findall(r"^(ptc_\S+) (\S+)$", text, re.M)}


def settled(address):
    """The numbers once everybody has gone."""
    until = time.time() + 120
    while time.time() < until:
        now = numbers(address)
        if now["ptc_sessions_active"] == 0 and now["ptc_strangers"] == 0:
            return now
        time.sleep(0.05)
    sys.exit("sessions do not end")


def relay(server, most):
    """Where a client goes whose connection is cut after `most` bytes to the server."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        with listener, listener.accept()[0] as client, socket.create_connection(server) as other:
            left = most

            def back():
                try:
                    while data := other.recv(1 << 16):
                        client.sendall(data)
                except OSError:
                    pass

            thread = threading.Thread(target=back, daemon=True)
            thread.start()
            try:
                while left > 0 and (data := client.recv(1 << 16)):
                    other.sendall(data[:left])
                    left -= len(data[:left])
            except OSError:
                pass
            for end in (client, other):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            thread.join(10)

    threading.Thread(target=run, daemon=True).start()
    return "127.0.0.1:%d" % listener.getsockname()[1]


def result(text):
    return next(iter(json.loads(text).values()))["data"]


def main():
    options = parse()
    build, serve, given, tolerance = MODELS[options.model]
    folder = tempfile.TemporaryDirectory()
    plan, cache = folder.name + "/model.plan", folder.name + "/cache"
    example = f"{ROOT}/examples/{options.model}"
    weights = f"{example}/model/model.safetensors" if options.model == "minilm" else f"{example}/model.safetensors"
    subprocess.run([options.ptc, "build", f"{example}/{options.model}.ptx", "-o", plan, *build], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server, (metrics, address), lines = start(
        [options.ptc, "serve", plan, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--weights", weights,
         "--cache", cache, "--max-sessions", str(options.clients), *serve], "numbers on http://", " on ")
    metrics = metrics.removesuffix("/metrics")
    host, port = address.rsplit(":", 1)

    def client(at):
        # A server at work sees with its next message that a client is gone; until then its place is taken.
        return [options.ptc, "run", plan, "--party", "1", "--connect", at, "--cache", cache, "--timeout", "60",
                "--wait", "120", *given]

    # The expected result is that of a session alone; the kernels of both sides are compiled in it.
    first = subprocess.run(client(address), capture_output=True, text=True, check=True)
    expected = result(first.stdout)
    before = settled(metrics)
    sent = before["ptc_bytes_total{phase=\"offline\",direction=\"received\"}"]
    sent += before["ptc_bytes_total{phase=\"online\",direction=\"received\"}"]
    start_one = time.time()
    subprocess.run(client(address), capture_output=True, check=True)
    usual = time.time() - start_one
    choices = random.Random(options.seed)
    plans = [(at, choices.random() < options.killed, choices.random(), choices.random() < 0.5)
             for at in range(options.sessions)]
    seconds, wrong, failed, killed, survived = [], [], [], [0], [0]

    def session(plan):
        at, dies, part, cut = plan
        if not dies:
            begun = time.time()
            ended = subprocess.run(client(address), capture_output=True, text=True)
            if ended.returncode != 0:
                failed.append(f"session {at}: {ended.stderr}")
                return
            seconds.append(time.time() - begun)
            if max(abs(a - b) for a, b in zip(result(ended.stdout), expected, strict=True)) > tolerance:
                wrong.append(f"session {at}: {ended.stdout}")
            return
        killed[0] += 1
        if cut:
            process = subprocess.Popen(client(relay((host, int(port)), int(part * sent))), stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        else:
            process = subprocess.Popen(client(address), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            # Sixteen at once share the processors.
            time.sleep(part * usual * min(options.clients, 8))
            process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
        if out:
            survived[0] += 1
            if max(abs(a - b) for a, b in zip(result(out), expected, strict=True)) > tolerance:
                wrong.append(f"session {at}, cut: {out}")

    rows = [("sessions", "resident MB", "peak MB", "threads", "open files")]

    def row(count):
        now = settled(metrics)
        rows.append((str(count), *(f"{now[name] / unit:.{digits}f}" for name, unit, digits in (
            ("ptc_resident_memory_bytes", 1e6, 1), ("ptc_peak_memory_bytes", 1e6, 1), ("ptc_threads", 1, 0),
            ("ptc_open_files", 1, 0)))))
        print("".join(f"{cell:>13}" for cell in rows[-1]), flush=True)
        return now

    print(f"{options.model}: {options.clients} clients at once, {options.sessions} sessions, "
          f"{options.killed:.0%} killed; load {os.getloadavg()[0]:.1f}")
    print("".join(f"{cell:>13}" for cell in rows[0]))
    row(0)
    begun, busy = time.time(), 0.0
    after_first = None
    for hundred in range(0, options.sessions, 100):
        part = time.time()
        with ThreadPoolExecutor(options.clients) as pool:
            list(pool.map(session, plans[hundred:hundred + 100]))
        busy += time.time() - part
        now = row(min(hundred + 100, options.sessions))
        after_first = after_first or now
    seconds.sort()
    at = lambda part: seconds[min(len(seconds) - 1, int(part * len(seconds)))]
    print(f"{len(seconds)} answered, {killed[0]} killed or cut ({survived[0]} of them after their answer), "
          f"{len(wrong)} wrong, {len(failed)} failed")
    print(f"{options.sessions / busy:.1f} sessions/s; a session, process start included: p50 {at(.5):.2f} s, "
          f"p95 {at(.95):.2f} s; alone {usual:.2f} s; load {os.getloadavg()[0]:.1f}")
    ended = {key.split('"')[1]: int(value) for key, value in now.items() if key.startswith("ptc_visits_ended_total")}
    print("at the server: " + ", ".join(f"{name} {count}" for name, count in ended.items() if count))
    server.send_signal(signal.SIGTERM)
    code = server.wait(60)
    problems = wrong + failed
    if code != 0:
        problems.append(f"the server exited with {code}: {''.join(lines[-5:])}")
    if ended["panicked"]:
        problems.append("a session panicked")
    for name, more in (("ptc_threads", 2), ("ptc_open_files", 2)):
        if now[name] > after_first[name] + more:
            problems.append(f"{name} grew from {after_first[name]} to {now[name]}")
    # After the first hundred the allocator has what it keeps.
    least = after_first["ptc_resident_memory_bytes"]
    if now["ptc_resident_memory_bytes"] > 1.25 * least + 32e6:
        problems.append(f"memory grew from {least / 1e6:.0f} MB to {now['ptc_resident_memory_bytes'] / 1e6:.0f} MB")
    for problem in problems[:10]:
        print("PROBLEM:", problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
