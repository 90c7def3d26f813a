#!/usr/bin/env bash
# Installs openapi-typescript, with which a test generates a client from the OpenAPI document, and the TypeScript compiler that it
# requires, in target/client-generators. Needs npm: scripts/page.sh tools.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=target/client-generators
packages=(openapi-typescript@7.13.0 typescript@5.9.3)
if [ "$(cat "$folder/.packages" 2>/dev/null)" = "${packages[*]}" ]; then
  exit
fi
export PATH="$PWD/target/node/node_modules/node/bin:$PATH"
rm -rf "$folder"
npm install --silent --no-fund --no-audit --prefix "$folder" "${packages[@]}"
echo "${packages[*]}" > "$folder/.packages"
