#!/bin/bash
# The tests of the runtime's rooms under the address sanitizer, which finds leaks too:
#   scripts/sanitize.sh [ROOM...]
# Stable Rust is enough: `RUSTC_BOOTSTRAP` opens the sanitizer that it ships.
set -euo pipefail
cd "$(dirname "$0")/.."

rooms=("$@")
[ ${#rooms[@]} = 0 ] && rooms=(ring kernels net correlation ot he mpc offline exec)
packages=()
for room in "${rooms[@]}"; do packages+=(-p "ptc-$room"); done
# Vectors of this machine, as in a release: they are where `unsafe` is.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Ctarget-cpu=native" \
    cargo test --release --target x86_64-unknown-linux-gnu --target-dir target/sanitize --lib --tests "${packages[@]}"
