#!/usr/bin/env python3
"""Measures accuracy, exactness of predictions, traffic, time and memory of real sessions, each party a process.

    python3 benches/bench.py target/release/ptc [--only PART ...] [--queries N] [--ring-product FILE]

Prints tables and writes `benches/results.json`. Ends with 1 if a bar is missed or a part could not be measured.
Python's standard library is enough; benches/README.md tells what each figure is.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import arrays
import links
import peers
import session
from session import Failure, Setting, median

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PARTS = ["accuracy", "repeat", "sections", "time", "alone", "links", "shaped", "primitives", "ring", "peers", "cheetah"]


# Where correlations come from: how a plan is built for it, and whether a dealer takes part.
MODES = {
    "dealer": ("--trust", "dealer", "--profile", "loopback"),
    "total": ("--trust", "two-party", "--optimize", "total", "--profile", "loopback"),
    "traffic": ("--trust", "two-party", "--optimize", "traffic", "--profile", "loopback"),
    # The fewest rounds: the least time online over a slow link.
    "rounds": ("--trust", "dealer", "--optimize", "online", "--profile", "wan-slow"),
}
ALONE = ("total", "traffic")


@dataclass
class Example:
    name: str
    folder: str
    weights: str
    made_by: str  # what makes its files
    dims: tuple = ()
    unused: tuple = ()

    def file(self, name):
        return EXAMPLES / self.folder / name


UNUSED = ("pooler", "embeddings.position_ids")
MINILM = ("minilm", "model/model.safetensors", "`python3 examples/minilm/fetch.py`")
MODELS = {
    model.name: model
    for model in [
        Example("hello", "hello", "model.safetensors", "`git checkout examples/hello`"),
        Example("sections", "sections", "model.safetensors", "`git checkout examples/sections`"),
        Example("minilm32", *MINILM, ("S=32",), UNUSED),
        Example("minilm128", *MINILM, ("S=128",), UNUSED),
        Example(
            "bertlayer", "bertlayer", "data/model.safetensors",
            "`python3 examples/bertlayer/make.py`, which needs numpy and safetensors",
        ),  # fmt: skip
    ]
}

TIMED = ("minilm32", "minilm128", "bertlayer")
TEXTS = ("minilm32", "minilm128")

# Bars: what a figure must reach, and how it is compared.
COSINE, DIFFERENCE = 0.9999, 2e-3
LABELS = 199
TRAFFIC_BYTES, ROUNDS = 60e6, 900
SPEEDUP = 8
BUILD_SECONDS, MEMORY_BYTES = 3, 1e9
RING_RATES = {"W64": 8, "W32": 25}
RING_SHAPE = "128x768x768"
# Two parties alone, beside CHEETAH: times faster, and bytes of the plan that spares them.
ALONE_SPEEDUP = {"minilm32": 20, "bertlayer": 12, "product": 15}
ALONE_BYTES = {"minilm32": 250e6, "bertlayer": 300e6, "product": 4e6}
ONLINE_BESIDE_DEALER = 1.25
ALONE_MEMORY_BYTES = 1.5e9
NTT_MICROSECONDS = 20
TRANSFER_RATES = {"silent": 8, "iknp": 10}


class Bench:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.cache = folder / "cache"
        self.settings, self.build_seconds = {}, {}
        self.exact = {}  # by model: sessions seen, sessions as predicted
        self.results = {"machine": session.machine(), "bars": [], "problems": []}

    def setting(self, name, mode, link=None):
        """The model's plan, built once."""
        if name == "product":
            source, weights, dims, unused = *product_files(self.folder), (), ()
        else:
            model = MODELS[name]
            source, weights, dims, unused = (
                model.file(f"{model.folder}.ptx"), model.file(model.weights), model.dims, model.unused
            )  # fmt: skip
            if not weights.exists():
                raise Failure(f"`{weights.relative_to(ROOT)}` is missing\nhint: run {model.made_by}")
        if (name, mode) not in self.settings:
            plan = self.folder / f"{name}-{mode}.plan"
            self.build_seconds[name] = session.build(self.arguments.ptc, source, plan, dims, MODES[mode])
            self.settings[name, mode] = plan
        plan = self.settings[name, mode]
        return Setting(self.arguments.ptc, plan, weights, list(unused), mode in ("dealer", "rounds"), link)

    def run(self, name, given, mode="dealer", link=None):
        done = session.run(self.setting(name, mode, link), given, self.cache)
        seen = self.exact.setdefault(name, [0, 0])
        seen[0] += 1
        seen[1] += done.predictions_hold()
        return done

    def texts(self, texts):
        if any("\n" in text for text in texts):
            raise Failure("a text has more than one line")
        file = self.folder / "texts.txt"
        file.write_text("".join(text + "\n" for text in texts))
        return ["--texts", file]

    def given(self, name, texts=None):
        """The client's arguments: several queries where the input is text, one where it is an array."""
        if name == "product":
            return ["--input", f"x={self.folder / 'product.npy'}"]
        model = MODELS[name]
        if model.folder == "hello":
            return ["--input", f"x={model.file('x.json')}"]
        if model.folder == "bertlayer":
            return ["--input", f"x={model.file('data/x.npy')}"]
        tokenizer = model.file("tokenizer.json" if model.folder == "sections" else "model/tokenizer.json")
        return [*self.texts(texts), "--tokenizer", tokenizer]

    def attempt(self, title, body, *arguments):
        """A problem leaves the rest to be measured, and is told at the end by the exit code."""
        try:
            return body(self, *arguments)
        except (Failure, OSError) as problem:
            self.results["problems"].append(f"{title}: {problem}")
            print(f"  not measured: {problem}")

    def bar(self, what, measured, holds, wanted):
        self.results["bars"].append({"what": what, "measured": measured, "wanted": wanted, "holds": bool(holds)})
        print(f"  {'ok    ' if holds else 'MISSED'}  {what}: {measured} (bar: {wanted})")


# --- the parts ----------------------------------------------------------------------------------------------------


PRODUCT = (128, 768, 768)


def product_files(folder):
    """Source and checkpoint of the product alone, with an input beside them."""
    rows, inner, columns = PRODUCT
    weights = folder / "product.safetensors"
    if not weights.exists():
        arrays.write_tensor(weights, "project.weight", (columns, inner), arrays.normal(1, columns * inner, 0.05))
        arrays.write(folder / "product.npy", (rows, inner), arrays.normal(2, rows * inner, 1))
    return Path(__file__).parent / "product.ptx", weights


def size_of(name):
    return int(name.removeprefix("minilm"))


def references(size):
    """Sentences of at most so many tokens with their float embeddings."""
    lines = MODELS["minilm32"].file("reference.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["tokens"] <= size]


def accuracy(bench):
    """Every value of a private answer beside floating point."""
    bench.results["accuracy"] = {}
    bench.attempt("minilm32, rounds", embeddings, "minilm32", "rounds")
    bench.attempt("bertlayer, rounds", layer, "bertlayer", "rounds")
    works = (("minilm32", embeddings), ("minilm128", embeddings), ("bertlayer", layer), ("hello", hello))
    for name, body in works:
        bench.attempt(name, body, name, "dealer")
    for mode in ALONE:
        bench.attempt(f"minilm32, {mode}", embeddings, "minilm32", mode)
        bench.attempt(f"bertlayer, {mode}", layer, "bertlayer", mode)


def embeddings(bench, name, mode):
    expected = references(size_of(name))
    done = bench.run(name, bench.given(name, [line["text"] for line in expected]), mode)
    pairs = [(result["embed"]["data"], line["embedding"]) for result, line in zip(done.results, expected, strict=True)]
    worst = compared(bench, f"{name} {mode}", pairs)
    cosine, difference = worst["cosine"], worst["difference"]
    bench.bar(f"{name} {mode}: worst cosine", f"{cosine:.7f}", cosine >= COSINE, f">= {COSINE}")
    bench.bar(f"{name} {mode}: worst difference", f"{difference:.1e}", difference <= DIFFERENCE, f"<= {DIFFERENCE}")


def layer(bench, name, mode):
    done = bench.run(name, bench.given(name), mode)
    expected = arrays.read(MODELS[name].file("data/expected.npy"))
    compared(bench, f"{name} {mode}", [(done.results[0]["run"]["data"], expected)])


def hello(bench, name, mode):
    done = bench.run(name, bench.given(name), mode)
    expected = json.loads(MODELS[name].file("expected.json").read_text())
    compared(bench, f"{name} {mode}", [(done.results[0]["infer"]["data"], expected["infer"]["data"])])


def compared(bench, name, pairs):
    cosines, differences = [cosine(*pair) for pair in pairs], [difference(*pair) for pair in pairs]
    worst = {"queries": len(pairs), "cosine": min(cosines), "difference": max(differences)}
    bench.results["accuracy"][name] = worst
    print(
        f"  {name:18} {len(pairs):3} queries  worst cosine {worst['cosine']:.7f}  worst difference {worst['difference']:.1e}"
    )
    return worst


def repeat(bench):
    """The same query again and again: shares are drawn anew each time, and none may give an outlier."""
    line = max(references(32), key=lambda line: line["tokens"])
    done = bench.run("minilm32", bench.given("minilm32", [line["text"]] * 20))
    answers = [result["embed"]["data"] for result in done.results]
    worst = max(difference(answer, line["embedding"]) for answer in answers)
    spread = max(max(column) - min(column) for column in zip(*answers))
    bench.results["repeat"] = {"queries": len(answers), "difference": worst, "spread": spread}
    print(
        f"  minilm32, the same text {len(answers)} times: worst difference {worst:.1e}, largest spread of a value {spread:.1e}"
    )
    bench.bar("no outlier in 20 equal queries", f"{worst:.1e}", worst <= DIFFERENCE, f"<= {DIFFERENCE}")


def sections(bench):
    """Labels of held-out descriptions, private beside float."""
    model = MODELS["sections"]
    held_out = [json.loads(line) for line in model.file("held_out.jsonl").read_text().splitlines()]
    given = bench.given("sections", [line["text"] for line in held_out])
    done = bench.run("sections", [*given, "--labels", model.file("labels.json")])
    agreeing = sum(label == line["label"] for label, line in zip(done.labels, held_out, strict=True))
    worst = max(
        difference(result["classify"]["data"], line["logits"])
        for result, line in zip(done.results, held_out, strict=True)
    )
    online, offline = median(done.online_seconds), median(done.offline_seconds)
    bench.results["sections"] = {
        "agreeing": agreeing, "of": len(held_out), "difference": worst,
        "online_seconds": online, "offline_seconds": offline, "load": done.load,
    }  # fmt: skip
    print(f"  logits differ by at most {worst:.1e}; a query takes {online:.3f} s online, {offline:.3f} s offline")
    bench.bar("sections: labels agree", f"{agreeing} of {len(held_out)}", agreeing >= LABELS, f">= {LABELS}")


def times(bench):
    """Seconds, bytes and memory, model by model."""
    bench.results["time"] = {}
    print(
        f"  {'':10} {'build':>6} {'setup':>6} {'weights':>8} {'offline':>8} {'online':>7} {'total':>7}   (seconds, medians)"
    )
    for name in TIMED:
        row = bench.attempt(name, timed, name)
        if row:
            bench.results["time"][name] = row
    for name, row in bench.results["time"].items():
        server, client, dealer = (row["peak_memory_bytes"][role] / 1e6 for role in ("server", "client", "dealer"))
        traffic, offline = row["online"], row["offline"]
        print(
            f"  {name}: {traffic['rounds']} rounds, {total(traffic) / 1e6:.2f} MB online, {total(offline) / 1e6:.2f} MB "
            f"from the dealer a query; peak memory server {server:.0f}, client {client:.0f}, dealer {dealer:.0f} MB"
        )
    if "minilm32" not in bench.results["time"]:
        return
    small = bench.results["time"]["minilm32"]["online"]
    bench.bar(
        "minilm32: MB online",
        f"{total(small) / 1e6:.2f}",
        total(small) <= TRAFFIC_BYTES,
        f"<= {TRAFFIC_BYTES / 1e6:.0f}",
    )
    bench.bar("minilm32: rounds", small["rounds"], small["rounds"] <= ROUNDS, f"<= {ROUNDS}")
    slowest = max(seconds for name, seconds in bench.build_seconds.items() if name.startswith("minilm"))
    bench.bar("minilm: seconds to build", f"{slowest:.2f}", slowest < BUILD_SECONDS, f"< {BUILD_SECONDS}")
    peak = max(
        max(row["peak_memory_bytes"][role] for role in ("server", "client")) for row in bench.results["time"].values()
    )
    bench.bar("peak memory of a party, MB", f"{peak / 1e6:.0f}", peak < MEMORY_BYTES, f"< {MEMORY_BYTES / 1e6:.0f}")


def timed(bench, name):
    """After a session that fills the caches: a warm-up query and then the timed ones."""
    queries = bench.arguments.queries
    if name == "bertlayer":  # an array is one query: sessions instead
        cold, *runs = [bench.run(name, bench.given(name)) for _ in range(1 + queries)]
        online = [run.online_seconds[0] for run in runs]
        offline = [run.offline_seconds[0] for run in runs]
    else:
        texts = [line["text"] for line in references(size_of(name))]
        cold = bench.run(name, bench.given(name, texts[:1]))
        runs = [bench.run(name, bench.given(name, [texts[at % len(texts)] for at in range(1 + queries)]))]
        online, offline = runs[0].online_seconds[1:], runs[0].offline_seconds[1:]
    once = {phase: median([run.client["phases"][phase]["seconds"] for run in runs]) for phase in ("setup", "weights")}
    row = {
        "build_seconds": bench.build_seconds[name],
        "setup_seconds": once["setup"],
        "weights_seconds": once["weights"],
        "cold": {phase: cold.client["phases"][phase]["seconds"] for phase in ("setup", "weights", "offline", "online")},
        "cold_wall_seconds": cold.wall_seconds,
        "offline_seconds": median(offline),
        "online_seconds": median(online),
        "all_offline_seconds": offline,
        "all_online_seconds": online,
        "total_seconds": median([sum(pair) for pair in zip(offline, online)]),
        "online": runs[0].per_query("online"),
        "offline": runs[0].per_query("offline"),
        "weights": runs[0].client["phases"]["weights"],
        "peak_memory_bytes": {
            "server": max(run.server["peak_memory_bytes"] for run in runs),
            "client": max(run.client["peak_memory_bytes"] for run in runs),
            "dealer": max(run.dealer_peak_bytes for run in runs),
        },
        "load": [runs[0].load[0], runs[-1].load[1]],
        "others_cpu_seconds": sum(run.others_cpu_seconds for run in runs),
    }
    widths = {"build": 6, "setup": 6, "weights": 8, "offline": 8, "online": 7, "total": 7}
    columns = " ".join(f"{row[f'{column}_seconds']:{width}.3f}" for column, width in widths.items())
    print(f"  {name:10} {columns}   {noise(row)}")
    return row


def alone(bench):
    """Two parties and nobody else: cold sessions of one query, all that follows the handshake."""
    bench.results["alone"] = {}
    print(f"  {'':20} {'keys':>7} {'offline':>8} {'online':>7} {'total':>7}   (seconds, medians)  MB of keys, in total")
    works = [("product", ALONE), ("minilm32", ALONE), ("bertlayer", ALONE), ("minilm128", ("total",))]
    for name, mode in ((name, mode) for name, modes in works for mode in modes):
        row = bench.attempt(f"{name}, {mode}", cold_sessions, name, mode, 1 if name == "minilm128" else 3)
        if row:
            bench.results["alone"][f"{name} {mode}"] = row
    rows = bench.results["alone"]
    for name, most in ALONE_BYTES.items():
        if row := rows.get(f"{name} traffic"):
            # Keys serve a whole session, and one product is no session.
            measured = row["bytes"] - (row["keys_bytes"] if name == "product" else 0)
            bench.bar(f"{name} traffic: MB", f"{measured / 1e6:.2f}", measured <= most, f"<= {most / 1e6:.0f}")
    dealt, own = bench.results.get("time", {}).get("minilm32"), rows.get("minilm32 total")
    if dealt and own:
        ratio = own["online_seconds"] / dealt["online_seconds"]
        bench.bar("minilm32: online beside the dealer's", f"{ratio:.2f}", ratio <= ONLINE_BESIDE_DEALER, f"<= {ONLINE_BESIDE_DEALER}")
    if large := rows.get("minilm128 total"):
        peak = max(large["peak_memory_bytes"].values())
        bench.bar("minilm128: peak memory of a party, MB", f"{peak / 1e6:.0f}", peak < ALONE_MEMORY_BYTES, f"< {ALONE_MEMORY_BYTES / 1e6:.0f}")


def cold_sessions(bench, name, mode, sessions):
    text = [max(references(size_of(name)), key=lambda line: line["tokens"])["text"]] if name in TEXTS else None
    bench.run(name, bench.given(name, text), mode) if sessions > 1 else None  # fills the caches of public parameters and kernels
    runs = [bench.run(name, bench.given(name, text), mode) for _ in range(sessions)]
    seconds = lambda phase: median([run.client["phases"][phase]["seconds"] for run in runs])
    row = {
        "setup_seconds": seconds("setup"),
        "keys_seconds": seconds("weights"),
        "offline_seconds": seconds("offline"),
        "online_seconds": seconds("online"),
        "total_seconds": median([run.cold_seconds() for run in runs]),
        "all_total_seconds": [run.cold_seconds() for run in runs],
        "bytes": runs[0].cold_bytes(),
        "keys_bytes": runs[0].cold_bytes("weights"),
        "phases": runs[0].client["phases"],
        "source": [run.client.get("source_seconds") for run in runs][-1:] + [run.server.get("source_seconds") for run in runs][-1:],
        "peak_memory_bytes": {role: max(getattr(run, role)["peak_memory_bytes"] for run in runs) for role in ("server", "client")},
        "load": [runs[0].load[0], runs[-1].load[1]],
        "others_cpu_seconds": sum(run.others_cpu_seconds for run in runs),
    }
    columns = " ".join(f"{row[f'{column}_seconds']:{width}.3f}" for column, width in (("keys", 7), ("offline", 8), ("online", 7), ("total", 7)))
    print(f"  {name + ' ' + mode:20} {columns}   {row['keys_bytes'] / 1e6:8.2f} {row['bytes'] / 1e6:8.2f}   {noise(row)}")
    for role, parts in zip(("client", "server"), row["source"]):
        if parts:
            largest = sorted(((seconds, part) for part, seconds in parts.items() if seconds >= 0.01), reverse=True)
            told = ", ".join(f"{part} {seconds:.2f}" for seconds, part in largest)
            print(f"  {'':20} {role}, offline seconds, side by side: {told}")
    return row


def shaped(bench):
    """Two parties alone over shaped links, in network namespaces."""
    found, absent = peers.folder()
    if not found:
        print(f"  {absent}")
        return
    if os.geteuid():
        raise Failure("network namespaces need root")
    bench.results["shaped"] = {}
    text = [references(32)[0]["text"]]
    works = [(name, mode, profile) for name in ("minilm32", "bertlayer") for mode in ALONE for profile in links.SHAPED]
    for name, mode, profile in works:
        with links.Namespaces(peers.netsim(found), links.SHAPED[profile]) as link:
            done = bench.run(name, bench.given(name, text if name in TEXTS else None), mode, link)
        row = {
            "total_seconds": done.cold_seconds(), "online_seconds": done.online_seconds[0], "bytes": done.cold_bytes(),
            "load": done.load, "others_cpu_seconds": done.others_cpu_seconds,
        }  # fmt: skip
        bench.results["shaped"][f"{name} {mode} {profile}"] = row
        bits, round_trip = links.SHAPED[profile]
        title = f"{name} {mode}, {profile} ({bits / 1e6:.0f} Mbit/s, {round_trip * 1e3:g} ms)"
        print(f"  {title:50} {row['total_seconds']:7.2f} s, of them online {row['online_seconds']:.2f} s   {noise(row)}")


def cheetah(bench):
    """SPU's CHEETAH, which needs no third party either, on the same weights and inputs."""
    found, absent = peers.folder()
    if not found:
        bench.results["cheetah"] = {"absent": absent}
        print(f"  {absent}")
        return
    bench.results["cheetah"] = {}
    for name, work in (("product", "matmul"), ("minilm32", "minilm32"), ("bertlayer", "bertlayer")):
        bench.attempt(work, beside_cheetah, found, name, work)


def beside_cheetah(bench, found, name, work):
    own = bench.results.get("alone", {})
    if any(f"{name} {mode}" not in own for mode in ALONE):
        raise Failure(f"this needs {name} from the part `alone`")
    spu = peers.spu(found, work, "cheetah", 1, warm=name == "product")
    # One product is to be fast and small at the same time.
    seconds = own[f"{name} {'traffic' if name == 'product' else 'total'}"]["total_seconds"]
    ratio = spu["median_s"] / seconds
    bench.results["cheetah"][name] = {"spu": spu, "total_seconds": seconds, "ratio": ratio}
    print(
        f"  {name}: SPU {spu['median_s']:.1f} s, {sum(spu['cpu_s']):.0f} CPU-seconds, {sum(spu['sent_bytes']) / 1e6:.0f} MB "
        f"(others' CPU {spu['other_cpu_s']} s)\n"
        f"  {name}: here {own[f'{name} total']['total_seconds']:.2f} s and {own[f'{name} total']['bytes'] / 1e6:.1f} MB; sparing traffic "
        f"{own[f'{name} traffic']['total_seconds']:.2f} s and {own[f'{name} traffic']['bytes'] / 1e6:.1f} MB"
    )
    least = ALONE_SPEEDUP[name]
    bench.bar(f"{name}: times faster than CHEETAH, cold", f"{ratio:.1f}", ratio >= least, f">= {least}")


def linked(bench):
    """Slower links: computed from exact rounds and bytes, and one of them emulated."""
    bench.results["links"] = {}
    for name in TIMED:
        row = timing(bench, name)
        for profile, (bits, round_trip) in links.PROFILES.items():
            low, high = links.waiting(row["online"], profile)
            local = row["online_seconds"]
            bench.results["links"][f"{name} {profile}"] = {"waiting_seconds": [low, high], "local_seconds": local}
            title = f"{profile} ({bits / 1e6:.0f} Mbit/s, {round_trip * 1e3:g} ms there and back)"
            print(f"  {name:10} {title:46} {local:6.2f} s here + {low:.2f} to {high:.2f} s waiting")
    for name, profile in (("minilm32", "wan"), ("minilm32", "wan-slow"), ("bertlayer", "wan-slow")):
        texts = [references(32)[0]["text"]] * 3
        done = bench.run(name, bench.given(name, texts), link=links.Link(profile))
        row = {
            "online_seconds": median(done.online_seconds),
            "load": done.load,
            "others_cpu_seconds": done.others_cpu_seconds,
        }
        bench.results["links"][f"{name} {profile} emulated"] = row
        print(f"  {name:10} {profile}, emulated: {row['online_seconds']:.2f} s online   {noise(row)}")


def primitives(bench):
    """The two primitives that two parties alone live on: transforms of polynomials, and transfers."""
    before = os.getloadavg()[0]
    transforms, transfers = rates("ptc-he"), rates("ptc-ot")
    rows = [line.split() for line in transforms if line.split()[:1] == ["4096"]]
    rest = [line.split() for line in transfers]
    millions = {row[0]: float(row[-2]) for row in rest if row and row[0] in TRANSFER_RATES}
    if not rows or len(millions) < len(TRANSFER_RATES):
        raise Failure("the examples `rates` print other tables than expected")
    fastest = min(float(row[2]) for row in rows)
    bench.results["primitives"] = {
        "transform_microseconds": fastest, "million_transfers_per_cpu_second": millions,
        "load": [before, os.getloadavg()[0]],
    }  # fmt: skip
    what = "forward transform, N=4096, microseconds on one core"
    bench.bar(what, f"{fastest:.1f}", fastest <= NTT_MICROSECONDS, f"<= {NTT_MICROSECONDS}")
    for name, least in TRANSFER_RATES.items():
        what = f"{name} transfers at 2^20, millions a CPU-second of both parties"
        bench.bar(what, f"{millions[name]:.1f}", millions[name] >= least, f">= {least}")


def rates(crate):
    command = ["cargo", "run", "--quiet", "--release", "-p", crate, "--example", "rates"]
    if not shutil.which("cargo"):
        raise Failure("`cargo` is not on the PATH\nhint: install Rust")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")
    return done.stdout.splitlines()


def ring(bench):
    """Products of rings on one core and on all: the bench of the kernels."""
    given = bench.arguments.ring_product
    before = os.getloadavg()[0]
    if given:
        text = Path(given).read_text()
    else:
        command = ["cargo", "bench", "--quiet", "--bench", "ring_product"]
        if not shutil.which("cargo"):
            raise Failure(
                "`cargo` is not on the PATH\nhint: install Rust, or give its output with `--ring-product FILE`"
            )
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")
        text = done.stdout
    rows = [line.split() for line in text.splitlines() if f" {RING_SHAPE} " in line and "cold" not in line]
    if not rows:
        raise Failure(f"the bench of ring products has no row {RING_SHAPE}")
    rates = {f"{word} {backend}": [float(one), float(all_cores)] for word, _, backend, one, all_cores in rows}
    bench.results["ring"] = {
        "shape": RING_SHAPE,
        "giga_multiply_adds_per_second": rates,
        "load": [before, os.getloadavg()[0]],
    }
    for title, (one, all_cores) in rates.items():
        print(f"  {RING_SHAPE} {title:14} {one:6.2f} G multiply-adds/s on one core, {all_cores:6.2f} on all")
    for word, bar in RING_RATES.items():
        best = rates.get(f"{word} llvm", [0])[0]
        bench.bar(f"{RING_SHAPE} in {word}, compiled, one core", f"{best:.2f} G/s", best >= bar, f">= {bar}")


def beside(bench):
    """SPU on the same weights and inputs, and how much longer it takes."""
    found, absent = peers.folder()
    if not found:
        bench.results["peers"] = {"absent": absent}
        print(f"  {absent}")
        return
    bench.results["peers"] = {}
    for work in peers.WORKS:
        bench.attempt(work, faster, found, work)


def faster(bench, found, work):
    before = timing(bench, work)
    spu = peers.spu(found, work, "semi2k", 3)
    after = timed(bench, work)  # before and after, so that what else the machine does meets both
    middle = lambda phase: median(before[f"all_{phase}_seconds"] + after[f"all_{phase}_seconds"])
    online, whole = middle("online"), middle("online") + middle("offline")
    ratios = {"online": spu["median_s"] / online, "total": spu["median_s"] / whole}
    row = {"spu": spu, "online_seconds": online, "total_seconds": whole, "ratios": ratios}
    bench.results["peers"][work] = row
    print(
        f"  {work}: SPU {spu['median_s']:.2f} s (fastest {min(spu['all_s']):.2f}), {sum(spu['sent_bytes']) / 1e6:.0f} MB, {max(spu['sends'])} messages "
        f"(others' CPU {spu['other_cpu_s']} s)\n"
        f"  {work}: here {online:.3f} s online, {whole:.3f} s with offline; {total(before['online']) / 1e6:.1f} MB online, "
        f"{total(before['offline']) / 1e6:.1f} MB offline\n"
        f"  {work}: {ratios['online']:.1f} times faster online, {ratios['total']:.1f} times with the offline phase"
    )
    bench.bar(
        f"{work}: times faster than SPU online", f"{ratios['online']:.1f}", ratios["online"] >= SPEEDUP, f">= {SPEEDUP}"
    )


def exactness(bench):
    """Every session of this run: what was predicted is what was measured."""
    bench.results["exact"] = {
        name: {"sessions": seen, "as_predicted": exact} for name, (seen, exact) in bench.exact.items()
    }
    for name, (seen, exact) in bench.exact.items():
        what = f"{name}: sessions whose rounds and bytes are as predicted"
        bench.bar(what, f"{exact} of {seen}", exact == seen, "all, to the byte")


def timing(bench, name):
    row = bench.results.get("time", {}).get(name)
    if not row:
        raise Failure(f"this needs {name} from the part `time`")
    return row


# --- numbers ------------------------------------------------------------------------------------------------------


def cosine(a, b):
    dot = lambda x, y: math.fsum(u * v for u, v in zip(x, y, strict=True))
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def difference(a, b):
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def total(traffic):
    return traffic["sent_bytes"] + traffic["received_bytes"]


def noise(row):
    before, after = row["load"]
    return f"load {before:.1f} to {after:.1f}, others' CPU {row['others_cpu_seconds']:.1f} s"


# --- the command --------------------------------------------------------------------------------------------------

TITLES = {
    "accuracy": ("accuracy", accuracy),
    "repeat": ("the same query again", repeat),
    "sections": ("sections", sections),
    "time": ("time and memory, with a dealer", times),
    "alone": ("two parties alone, cold sessions of one query", alone),
    "links": ("slower links, online phase", linked),
    "shaped": ("two parties alone over shaped links", shaped),
    "primitives": ("transforms and transfers", primitives),
    "ring": ("ring products", ring),
    "peers": ("a dealer, beside SPU 0.9.5, SEMI2K", beside),
    "cheetah": ("two parties alone, beside SPU 0.9.5, CHEETAH", cheetah),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ptc", type=lambda text: Path(text).resolve(), help="the program, e.g. target/release/ptc")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="the parts to measure")
    parser.add_argument("--queries", type=int, default=9, help="timed queries a model, after one to warm up")
    parser.add_argument("--ring-product", help="a file with the output of `cargo bench --bench ring_product`")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results.json")
    arguments = parser.parse_args()
    if not os.access(arguments.ptc, os.X_OK):
        sys.exit(f"error: `{arguments.ptc}` is not there\nhint: run `make build`")
    with tempfile.TemporaryDirectory(prefix="ptc-bench-") as folder:
        sys.exit(measure(Bench(arguments, Path(folder))))


def measure(bench):
    machine, results = bench.results["machine"], bench.results
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['widest']}; load {os.getloadavg()[0]:.2f}")
    for part in PARTS:
        if part not in bench.arguments.only:
            continue
        title, body = TITLES[part]
        print(f"\n{title}", flush=True)
        bench.attempt(title, body)
    print("\npredictions")
    exactness(bench)
    results["load_at_the_end"] = os.getloadavg()[0]
    bench.arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    missed = sum(not bar["holds"] for bar in results["bars"])
    print(
        f"\n{len(results['bars'])} bars, {missed} missed; {len(results['problems'])} parts not measured; load {os.getloadavg()[0]:.2f}"
    )
    return 1 if missed or results["problems"] else 0


if __name__ == "__main__":
    main()
