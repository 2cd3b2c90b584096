#!/bin/sh
# Calibrates, builds and runs NAME as two processes on this machine: the server with the weights, the client with the queries.
# `PTC` names another `ptc`, `PORT` another port.
set -eu
cd "$(dirname "$0")"
PTC=${PTC:-ptc}
PORT=${PORT:-7001}

[ -f model.ranges.json ] || "$PTC" calibrate model.ptx --weights model.safetensors --samples SAMPLES
"$PTC" build model.ptx -o model.plan

"$PTC" run model.plan --party 0 --listen "127.0.0.1:$PORT" --weights model.safetensors &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
"$PTC" run model.plan --party 1 --connect "127.0.0.1:$PORT" --queries queries.jsonl --labels labels.json TOKENIZER
wait $server
trap - EXIT
