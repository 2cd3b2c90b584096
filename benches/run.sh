#!/usr/bin/env bash
# Everything that benches/README.md names, in one table. Usage: run.sh PTC [OPTIONS OF bench.py]
set -euo pipefail
exec python3 -B "$(dirname "$(realpath "$0")")/bench.py" "$@"
