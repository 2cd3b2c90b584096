#!/usr/bin/env bash
# Tells which Debian section a package description belongs to: two processes on loopback, no download.
# Usage: demo.sh PTC [DESCRIPTION]
set -euo pipefail
ptc=$(realpath "$1")
text=${2:-"library for reading and writing compressed audio files"}
here=$(dirname "$(realpath "$0")")
folder=$(mktemp -d)
processes=()
finish() {
    for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap finish EXIT

"$ptc" build "$here/sections.ptx" -o "$folder/sections.plan"
server=127.0.0.1:${PTC_SERVER_PORT:-7400}
"$ptc" run "$folder/sections.plan" --party 0 --listen "$server" \
    --weights "$here/model.safetensors" 2>"$folder/server.log" &
processes+=($!)
echo "description: $text" >&2
"$ptc" run "$folder/sections.plan" --party 1 --connect "$server" \
    --tokenizer "$here/tokenizer.json" --labels "$here/labels.json" --text "$text" ||
    { cat "$folder/server.log" >&2; exit 1; }
