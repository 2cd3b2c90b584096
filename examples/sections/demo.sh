#!/usr/bin/env bash
# Tells which Debian section a package description belongs to: three processes on loopback, no download.
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
dealer=127.0.0.1:${PTC_DEALER_PORT:-7400}
server=127.0.0.1:${PTC_SERVER_PORT:-7401}
"$ptc" deal "$folder/sections.plan" --listen "$dealer" 2>"$folder/dealer.log" &
processes+=($!)
"$ptc" run "$folder/sections.plan" --party 0 --listen "$server" --dealer "$dealer" \
    --weights "$here/model.safetensors" 2>"$folder/server.log" &
processes+=($!)
echo "description: $text" >&2
"$ptc" run "$folder/sections.plan" --party 1 --connect "$server" --dealer "$dealer" \
    --tokenizer "$here/tokenizer.json" --labels "$here/labels.json" --text "$text" ||
    { cat "$folder/dealer.log" "$folder/server.log" >&2; exit 1; }
