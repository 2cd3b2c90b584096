"""Another system on the same work in the same run: SecretFlow SPU, protocols SEMI2K and CHEETAH."""

import json
import os
import subprocess
from pathlib import Path

from session import Failure

WORKS = ["minilm32", "bertlayer"]
ABSENT = "not measured: PTC_PEERS is not set; benches/README.md tells how to install SPU beside this project"


def folder():
    """Where the peers are, or why they are not."""
    named = os.environ.get("PTC_PEERS")
    if not named:
        return None, ABSENT
    found = Path(named)
    missing = [name for name in ("run_spu.py", "works.py", "v311/bin/python") if not (found / name).exists()]
    if missing:
        return None, f"not measured: `{found}` (PTC_PEERS) has no `{missing[0]}`; see benches/README.md"
    return found, None


def netsim(found):
    """The emulator of links beside the scripts."""
    program = found / "netsim"
    if not os.access(program, os.X_OK):
        raise Failure(f"`{program}` is not there\nhint: gcc -O2 -o netsim netsim.c")
    return program


def spu(found, work, protocol, repetitions, warm=True):
    """What SPU's script prints: median_s, all_s, sent_bytes, sends, cpu_s, other_cpu_s, max_abs_err, ...

    Not warmed up, SPU first runs a tiny program: its keys and base transfers are not in the figures.
    """
    # In a network namespace of its own where that is allowed, so that the interface counts nothing else.
    net = "ns" if os.geteuid() == 0 else "host"
    command = [found / "v311/bin/python", found / "run_spu.py", "--proto", protocol, "--work", work]
    command += ["--approx", "puma", "--reps", str(repetitions), "--net", net, "--warm", str(int(warm))]
    done = subprocess.run(command, cwd=found, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines or "FAILED" in lines[-1]:
        raise Failure(f"SPU failed on {work}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads(lines[-1])
