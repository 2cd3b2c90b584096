#!/bin/bash
# Functions on secrets under valgrind, with the secrets marked undefined: tests/constant_time says which.
#   scripts/constant_time.sh [PART OF A NAME]
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -q && $sudo apt-get install -q -y --no-install-recommends valgrind
fi
# Valgrind knows no AVX-512, which this machine may have.
RUSTFLAGS="-C target-cpu=x86-64-v3" \
    cargo build --release -p ptc-constant-time --target-dir target/constant-time
# Freed and fresh memory is told apart by valgrind's own allocator alone. Threads take turns anyway.
RAYON_NUM_THREADS=1 valgrind -q --num-callers=20 --suppressions=tests/constant_time/public.supp \
    target/constant-time/release/ptc-constant-time "$@"
