#!/usr/bin/env python3
"""Measures the programs of `examples/marill` and `examples/pcft` beside the programs that they replace.

    python3 benches/variants.py target/release/ptc [--profiles lan wan-slow] [--sessions N]

Cold sessions of one query between two network namespaces, each program with the plan of the least time under that profile.
Prints a table for each profile; ratios are to the first program of each group.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import bench
import links
import peers
import session
from session import Setting, median

TUNED = ("standard", "frozen", "lora", "merged")
GROUPS = [
    [("sections", "sections", ()), ("pcft", "pcft", ())],
    [("marill", name, tuple(other for other in TUNED if other != name)) for name in TUNED],
]
# What of the base a program that owns all layers leaves aside.
BASE = {"standard": ("lower", "upper"), "frozen": ("upper",)}


def measured(arguments, folder, example, program, unused, profile, link):
    source = bench.EXAMPLES / example / f"{program}.ptx"
    plan = folder / f"{program}-{profile}.plan"
    session.build(arguments.ptc, source, plan, (), ("--profile", profile))
    sections = bench.EXAMPLES / "sections"
    text = (sections / "calibration.txt").read_text().splitlines()[0]
    given = ["--text", text, "--tokenizer", sections / "tokenizer.json"]
    weights = bench.EXAMPLES / example / "model.safetensors"
    setting = Setting(arguments.ptc, plan, weights, [*unused, *BASE.get(program, ())], False, link)
    runs = [session.run(setting, given, folder / "cache") for _ in range(1 + arguments.sessions)][1:]
    assert all(done.predictions_hold() for done in runs), f"{program}: rounds or bytes are not as predicted"
    return {
        "total": median([done.cold_seconds() for done in runs]),
        "online": median([done.online_seconds[0] for done in runs]),
        "rounds": runs[0].per_query("online")["rounds"],
        "online MB": runs[0].cold_bytes("online") / 1e6,
        "all MB": runs[0].cold_bytes() / 1e6,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ptc", type=lambda text: Path(text).resolve(), help="the program, e.g. target/release/ptc")
    parser.add_argument("--profiles", nargs="+", choices=list(links.PROFILES), default=["lan", "wan-slow"])
    parser.add_argument("--sessions", type=int, default=3, help="sessions of a program, after one that fills caches")
    arguments = parser.parse_args()
    found, absent = peers.folder()
    if not found or os.geteuid():
        sys.exit(f"error: this needs root and the link emulator: {absent}")
    with tempfile.TemporaryDirectory(prefix="ptc-variants-") as folder:
        for profile in arguments.profiles:
            bits, round_trip = links.PROFILES[profile]
            print(f"\n{profile} ({bits / 1e6:.0f} Mbit/s, {round_trip * 1e3:g} ms), load {os.getloadavg()[0]:.1f}")
            for group in GROUPS:
                first = None
                for example, program, unused in group:
                    with links.Namespaces(peers.netsim(found), links.PROFILES[profile]) as link:
                        row = measured(arguments, Path(folder), example, program, unused, profile, link)
                    first = first or row
                    told = "  ".join(f"{name} {row[name]:.2f} ({first[name] / row[name]:.1f}x)" for name in row)
                    print(f"  {program:10} {told}", flush=True)


if __name__ == "__main__":
    main()
