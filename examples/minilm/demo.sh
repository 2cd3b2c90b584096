#!/usr/bin/env bash
# A sentence becomes its all-MiniLM-L6-v2 embedding: two processes on loopback.
# Usage: demo.sh PTC [SENTENCE]
set -euo pipefail
ptc=$(realpath "$1")
text=${2:-"Two companies compute an embedding together."}
here=$(dirname "$(realpath "$0")")
[ -f "$here/model/model.safetensors" ] || python3 "$here/fetch.py"
folder=$(mktemp -d)
processes=()
finish() {
    for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap finish EXIT

"$ptc" build "$here/minilm.ptx" --dim S=32 -o "$folder/minilm.plan"
server=127.0.0.1:${PTC_SERVER_PORT:-7400}
"$ptc" run "$folder/minilm.plan" --party 0 --listen "$server" \
    --weights "$here/model/model.safetensors" --unused pooler --unused embeddings.position_ids 2>"$folder/server.log" &
processes+=($!)
echo "sentence: $text" >&2
"$ptc" run "$folder/minilm.plan" --party 1 --connect "$server" \
    --tokenizer "$here/model/tokenizer.json" --text "$text" ||
    { cat "$folder/server.log" >&2; exit 1; }
