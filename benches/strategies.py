#!/usr/bin/env python3
"""Measures the plan that the compiler chooses beside plans of one strategy, over shaped links.

    python3 benches/strategies.py target/release/ptc [--models minilm32 bertlayer] [--profiles lan ...] [--sessions N]

For each model and profile: the plans of three objectives, and plans in which one decision is fixed and everything else is
left to the compiler. Each is run in cold sessions of one query between two network namespaces; plans that are equal are
run once. Prints a table for each profile and writes `benches/strategies.json`. Ends with 1 where a plan of one strategy
beats the chosen one by more than the noise.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import bench
import links
import peers
import session
from session import Failure, Setting, median

OBJECTIVES = ("online", "total", "traffic")
STRATEGIES = {
    "products by encryption": ("--method", "encrypted"),
    "one ring of 38 bits": ("--least-ring", "38"),
    "exact maxima": ("--recipe", "maximum=tournament"),
    "maxima by levels": ("--recipe", "maximum=levels"),
    "no tables": ("--recipe", "maximum=tournament,power=clipped,normal=octaves,ramp=polynomial,rounds=narrow"),
    "tables everywhere": ("--recipe", "maximum=levels,power=wide,normal=tables,ramp=lines,rounds=narrow"),
    "fewest rounds": ("--recipe", "maximum=levels,power=wide,normal=tables,ramp=lines,rounds=few"),
    "IKNP": ("--extension", "iknp"),
    "SoftSpoken, 8 bits": ("--extension", "softspoken-8"),
    "silent": ("--extension", "silent"),
}
# By how much a measured time may exceed another and still count as equal.
NOISE = 0.05


def plans(arguments, folder, model, profile):
    """Each distinct plan once, with everything that it is the answer to."""
    source, found = model.file(f"{model.folder}.ptx"), {}
    wanted = {f"chosen for {objective}": ("--optimize", objective) for objective in OBJECTIVES}
    wanted |= {name: ("--optimize", "total", *options) for name, options in STRATEGIES.items()}
    for name, options in wanted.items():
        plan = folder / f"{model.name}-{profile}-{len(found)}.plan"
        try:
            session.build(arguments.ptc, source, plan, model.dims, ("--profile", profile, *options))
        except Failure as problem:
            print(f"  {name}: no plan: {str(problem).splitlines()[1]}")
            continue
        key = hashlib.sha256(plan.read_bytes()).hexdigest()
        found.setdefault(key, (plan, []))[1].append(name)
    return found.values()


def measured(run, setting, given, cache, sessions):
    runs = [session.run(setting, given, cache) for _ in range(sessions)]
    if not all(done.predictions_hold() for done in runs):
        raise Failure(f"{setting.plan.name}: rounds or bytes are not as predicted")
    return {
        "online": median([done.online_seconds[0] for done in runs]),
        "total": median([done.cold_seconds() for done in runs]),
        "traffic": runs[0].cold_bytes(),
        "rounds": runs[0].per_query("online")["rounds"],
        "online_bytes": runs[0].cold_bytes("online"),
        "load": [runs[0].load[0], runs[-1].load[1]],
    }


def compare(arguments, folder, name, profile, netsim):
    model = bench.MODELS[name]
    given = bench.Bench(arguments, folder).given(name, [bench.references(32)[0]["text"]] if name in bench.TEXTS else None)
    rows = {}
    with links.Namespaces(netsim, links.PROFILES[profile]) as link:
        for plan, names in plans(arguments, folder, model, profile):
            setting = Setting(arguments.ptc, plan, model.file(model.weights), list(model.unused), False, link)
            try:
                row = measured(name, setting, given, folder / "cache", arguments.sessions)
            except Failure as problem:
                print(f"  {', '.join(names)}: not measured: {str(problem).splitlines()[0]}")
                continue
            rows |= {each: row for each in names}
            print(
                f"  {row['online']:8.2f} {row['total']:8.2f} {row['online_bytes'] / 1e6:8.1f} {row['traffic'] / 1e6:8.1f} "
                f"{row['rounds']:6}  {', '.join(names)}", flush=True,
            )  # fmt: skip
    worse = []
    for objective in OBJECTIVES:
        own = rows.get(f"chosen for {objective}")
        for strategy in STRATEGIES:
            other = rows.get(strategy)
            allowed = 1 if objective == "traffic" else 1 + NOISE
            if own and other and own[objective] > allowed * other[objective]:
                worse.append(f"{name}, {profile}: `{strategy}` beats the plan chosen for {objective}: "
                             f"{other[objective]:.4g} and {own[objective]:.4g}")
    return rows, worse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ptc", type=lambda text: Path(text).resolve(), help="the program, e.g. target/release/ptc")
    parser.add_argument("--models", nargs="+", choices=["minilm32", "bertlayer"], default=["minilm32", "bertlayer"])
    parser.add_argument("--profiles", nargs="+", choices=list(links.PROFILES), default=list(links.PROFILES))
    parser.add_argument("--sessions", type=int, default=1, help="sessions of a plan; medians are shown")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "strategies.json")
    arguments = parser.parse_args()
    found, absent = peers.folder()
    if not found or os.geteuid():
        sys.exit(f"error: this needs root and the link emulator: {absent}")
    results, beaten = {"machine": session.machine()}, []
    with tempfile.TemporaryDirectory(prefix="ptc-strategies-") as folder:
        for name in arguments.models:
            for profile in arguments.profiles:
                bits, round_trip = links.PROFILES[profile]
                print(f"\n{name}, {profile} ({bits / 1e6:.0f} Mbit/s, {round_trip * 1e3:g} ms)")
                print(f"  {'online s':>8} {'total s':>8} {'online MB':>8} {'all MB':>7} {'rounds':>6}")
                rows, worse = compare(arguments, Path(folder), name, profile, peers.netsim(found))
                results[f"{name} {profile}"], beaten = rows, beaten + worse
    arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    print("\n" + ("\n".join(beaten) if beaten else "no plan of one strategy beats a chosen one"))
    sys.exit(1 if beaten else 0)


if __name__ == "__main__":
    main()
