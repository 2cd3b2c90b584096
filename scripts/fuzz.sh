#!/bin/bash
# Fuzzes one target for some seconds, or all of them one after the other:
#   scripts/fuzz.sh [NAME] [SECONDS]
# Stable Rust is enough: `RUSTC_BOOTSTRAP` opens the sanitizer that it ships. What is found worth keeping goes to
# fuzz/found/NAME, what fails to fuzz/artifacts/NAME; a failure is fixed and its file moves to fuzz/corpus/NAME.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

only=${1:-}
seconds=${2:-60}
host=x86_64-unknown-linux-gnu
targets=${CARGO_TARGET_DIR:-target}

coverage=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares)
select=--bins
[ -n "$only" ] && select="--bin $only"
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address ${coverage[*]}" \
    cargo build --release --target $host $select

for name in ${only:-$(ls corpus)}; do
    mkdir -p "found/$name" "artifacts/$name"
    echo "== $name for $seconds s"
    # No input of these sizes may take more memory, or more time, than this.
    "$targets/$host/release/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -malloc_limit_mb=1500 \
        -max_len=16384 -print_final_stats=1 -artifact_prefix="artifacts/$name/" "found/$name" "corpus/$name"
done
