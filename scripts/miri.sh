#!/bin/bash
# The tests of rooms without system calls, vectors or foreign code, interpreted by Miri, which sees undefined behaviour:
#   scripts/miri.sh [ROOM...]
# Needs a nightly toolchain: rustup toolchain install nightly --component miri
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    echo "Miri is not here" >&2
    echo "hint: rustup toolchain install nightly --component miri" >&2
    exit 1
fi
rooms=("$@")
[ ${#rooms[@]} = 0 ] && rooms=(plan ring kernels correlation)
for room in "${rooms[@]}"; do
    # Property tests take thousands of cases, of which each is slow here.
    PROPTEST_CASES=4 MIRIFLAGS=-Zmiri-disable-isolation RUSTFLAGS= \
        cargo +nightly miri test --target-dir target/miri -p "ptc-$room" --lib
done
