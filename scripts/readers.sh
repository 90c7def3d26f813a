#!/usr/bin/env bash
# Installs the foreign readers of Arrow files that the tests hold a layer's files against, in an environment of their own.
# Needs Python 3.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/readers
if "$venv/bin/python" -c 'import pyarrow, polars' 2>/dev/null; then
  exit
fi
python3 -c 'import venv, ensurepip' 2>/dev/null || scripts/install.sh python3 python3-venv
python3 -m venv --clear "$venv"
"$venv/bin/pip" install --quiet 'pyarrow>=20' 'polars>=1.30,<3'
