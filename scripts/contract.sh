#!/usr/bin/env bash
# Holds the server against its own contract: schemathesis makes requests of all that /openapi.json allows, and of what it
# does not, and looks for answers that the contract does not list, and for failures. Needs Python 3. KILN names the binary,
# EXAMPLES the number of requests per operation.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'schemathesis>=4,<5'
fi
folder=$(mktemp -d)
: > "$folder/log"
"${KILN:-target/release/kiln}" serve -l 127.0.0.1:0 --images "$folder/imgs" --store "$folder/store" --log-level warn 2> "$folder/log" &
server=$!
trap 'kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
  url=$(sed -n 's/.* at \(http:[^ ]*\)$/\1/p' "$folder/log")
  [ -n "$url" ] && break
  sleep 0.1
done
PYTHONPATH=scripts PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=contract_hooks \
  "$venv/bin/schemathesis" run "${url}openapi.json" --url "$url" --max-examples "${EXAMPLES:-100}" --no-color \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance
if grep -q panic "$folder/log"; then
  cat "$folder/log"
  exit 1
fi
