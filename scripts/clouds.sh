#!/usr/bin/env bash
# Reads, publishes and serves layers in Azurite, the emulator of Azure Blob Storage, and in a stand-in for Google Cloud Storage: see
# scripts/clouds.py. Installs Azurite and a client in target/clouds, 230 MB. Needs npm and Python 3.
# KILN: the binary; default target/debug/kiln.
set -euo pipefail
cd "$(dirname "$0")/.."
clouds=target/clouds
if ! [ -x "$clouds/node_modules/.bin/azurite-blob" ]; then
  command -v npm >/dev/null || scripts/install.sh npm
  mkdir -p "$clouds"
  npm install --silent --no-fund --no-audit --no-save --prefix "$clouds" 'azurite@^3.35'
fi
if ! "$clouds/venv/bin/python" -c 'import azure.storage.blob' 2>/dev/null; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || scripts/install.sh python3 python3-venv
  python3 -m venv --clear "$clouds/venv"
  "$clouds/venv/bin/pip" install --quiet 'azure-storage-blob>=12,<13'
fi
exec "$clouds/venv/bin/python" scripts/clouds.py "$@"
