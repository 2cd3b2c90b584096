"""One session on this machine: server and client, and the dealer where the plan has one, each a process; TCP between them."""

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 900  # seconds for a whole session


class Failure(Exception):
    """What stops a measurement, in words for the person who runs it."""


@dataclass
class Setting:
    """What every session of a model needs."""

    ptc: Path
    plan: Path
    weights: Path
    unused: list = field(default_factory=list)
    dealer: bool = True
    # Between the parties: a `links.Link` or `links.Namespaces`; nothing for loopback.
    link: object = None


@dataclass
class Session:
    server: dict  # what `--stats` wrote
    client: dict
    results: list  # one {"entry": {"shape", "data"}} a query
    labels: list
    online_seconds: list  # a query each, as the client saw them
    offline_seconds: list
    wall_seconds: float  # from the start of the processes to the client's end
    dealer_peak_bytes: int
    load: list  # the machine's load average before and after
    others_cpu_seconds: float  # burnt meanwhile by everything else

    def predictions_hold(self):
        """Predicted equals measured in every phase of both parties, and each received what the other sent."""
        phases = [phase for stats in (self.server, self.client) for phase in stats["phases"].values()]
        exact = all(
            phase[key] == phase["predicted"][key] for phase in phases if "predicted" in phase for key in TRAFFIC
        )
        server, client = (stats["phases"]["online"] for stats in (self.server, self.client))
        crossed = [server["sent_bytes"], client["sent_bytes"]] == [client["received_bytes"], server["received_bytes"]]
        return exact and crossed

    def cold_seconds(self):
        """Of a session with one query: all that follows the handshake and the public parameters."""
        return sum(self.client["phases"][phase]["seconds"] for phase in ("weights", "offline", "online"))

    def cold_bytes(self, *phases):
        """Both directions, handshake and public parameters not counted."""
        phases = [self.client["phases"][phase] for phase in phases or ("weights", "offline", "online")]
        return sum(phase[key] for phase in phases for key in ("sent_bytes", "received_bytes"))

    def per_query(self, phase):
        """Rounds and bytes of one query: every query costs the same."""
        queries = self.client["queries"]
        return {key: self.client["phases"][phase][key] // queries for key in TRAFFIC}


TRAFFIC = ["rounds", "sent_bytes", "received_bytes"]


def build(ptc, model, plan, dims=(), options=()):
    """Compiles a model; returns the seconds of the whole command, its start included."""
    command = [ptc, "build", model, "-o", plan, *(f"--dim={dim}" for dim in dims), *options]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"`{shown(command)}` failed:\n{done.stderr}")
    return time.monotonic() - begin


def run(setting, given, cache):
    """A session of the queries that `given`, the client's arguments, hold. `cache` holds a folder for each process."""
    folder = Path(tempfile.mkdtemp(prefix="ptc-bench-"))
    processes = []
    try:
        return meet(setting, given, Path(cache), folder, processes)
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
                process.wait()
        shutil.rmtree(folder)


def meet(setting, given, cache, folder, processes):
    load, busy, own = [os.getloadavg()[0]], busy_seconds(), children_seconds()
    begin = time.monotonic()
    host = setting.link.host if setting.link else "127.0.0.1"
    server_at = f"{host}:{free_port()}"
    start = lambda role, *arguments: processes.append(launch(setting, role, arguments, cache, folder))
    source = []
    if setting.dealer:
        source = ["--dealer", f"127.0.0.1:{free_port()}"]
        start("dealer", "deal", setting.plan, "--listen", source[1])
    unused = [part for name in setting.unused for part in ("--unused", name)]
    start(
        "server", "run", setting.plan, "--party", "0", "--listen", server_at, *source,
        "--weights", setting.weights, *unused, "--stats", folder / "server.json",
    )  # fmt: skip
    reached = setting.link.between(server_at) if setting.link else server_at
    start(
        "client", "run", setting.plan, "--party", "1", "--connect", reached, *source, *given,
        "--stats", folder / "client.json", "--output", folder / "results.json",
    )  # fmt: skip
    *dealer, server, client = processes
    for process, role in ((client, "client"), (server, "server")):
        try:
            failed = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            failed = True
        if failed:
            logs = "\n".join(f"--- {log.stem}\n{log.read_text()}" for log in sorted(folder.glob("*.log")))
            raise Failure(f"the {role} of {setting.plan.name} failed\n{logs}")
        if process is client:
            wall = time.monotonic() - begin
    peak = max([peak_bytes(process.pid) for process in dealer], default=0)
    for process in dealer:
        process.terminate()
        process.wait()
    stats = {name: json.loads((folder / f"{name}.json").read_text()) for name in ("server", "client")}
    each = stats["client"]["each_query"]
    return Session(
        **stats,
        results=[json.loads(line) for line in (folder / "results.json").read_text().splitlines()],
        labels=(folder / "client.out").read_text().split(),
        online_seconds=[query["online_seconds"] for query in each],
        offline_seconds=[query["offline_seconds"] for query in each],
        wall_seconds=wall,
        dealer_peak_bytes=peak,
        load=[*load, os.getloadavg()[0]],
        others_cpu_seconds=max(0.0, busy_seconds() - busy - (children_seconds() - own)),
    )


def launch(setting, role, arguments, cache, folder):
    inside = setting.link.inside(role) if setting.link else []
    command = [str(part) for part in (*inside, setting.ptc, *arguments, "--cache", cache / role)]
    with open(folder / f"{role}.log", "w") as log, open(folder / f"{role}.out", "w") as out:
        return subprocess.Popen(command, stdout=out, stderr=log, text=True)


def median(seconds):
    return statistics.median(seconds)


# --- the machine --------------------------------------------------------------------------------------------------


def machine():
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    wide = "AVX-512" if "avx512dq" in text else "AVX2" if "avx2" in text else "no AVX2"
    return {"processor": model.group(1) if model else "unknown", "widest": wide, "cores": os.cpu_count()}


def busy_seconds():
    """Of all cores since the start of the machine, without idling and waiting for disks."""
    ticks = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(ticks[:3]) + ticks[5] + ticks[6]) / os.sysconf("SC_CLK_TCK")


def children_seconds():
    times = os.times()
    return sum(times[:4])


def peak_bytes(process):
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found.group(1)) * 1024 if found else 0


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def shown(command):
    return " ".join(str(part) for part in command)
