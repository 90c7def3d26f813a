#!/usr/bin/env bash
# Tests the server against its OpenAPI contract with schemathesis: generates valid and invalid requests from /openapi.json and
# checks that every response is documented and none is a server error. Needs Python 3. Environment: KILN, the path of the binary;
# EXAMPLES, the number of requests per operation.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'schemathesis>=4.32,<5'
fi
folder=$(mktemp -d)
: > "$folder/log"
KILN_SERVER_LOCAL_WRITES=true KILN_MASKS_FOLDER="$folder/masks" "${KILN:-target/release/kiln}" serve data/cities.parquet data/earthquakes.geojson -l 127.0.0.1:0 --images "$folder/imgs" --store "$folder/store" --log-level warn 2> "$folder/log" &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
  url=$(sed -n 's/.* at \(http:[^ ]*\)$/\1/p' "$folder/log")
  [ -n "$url" ] && break
  sleep 0.1
done
# Statistics take a debug build on a busy machine longer than 10 seconds, the default timeout.
"$venv/bin/schemathesis" --config-file scripts/contract.toml run "${url}openapi.json" --url "$url" --max-examples "${EXAMPLES:-100}" --no-color --request-timeout 60 \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance
if grep -q panic "$folder/log"; then
  cat "$folder/log"
  exit 1
fi
