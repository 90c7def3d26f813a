#!/usr/bin/env bash
# Opens the files for QGIS in QGIS itself: see scripts/qgis_check.py. Installs QGIS without its desktop program: 195 MB of downloads, and
# 930 MB on disk.
# KILN: the binary; default target/debug/kiln.
set -euo pipefail
cd "$(dirname "$0")/.."
# The Python of the system, for which the packages are.
python=/usr/bin/python3
"$python" -c 'import qgis.core' 2>/dev/null || scripts/install.sh python3-qgis qgis-providers
settings=$(mktemp -d)
trap 'rm -rf "$settings"' EXIT
mkdir -p target/qgis "$settings/run"
chmod 700 "$settings/run"
HOME=$settings XDG_RUNTIME_DIR=$settings/run QT_QPA_PLATFORM=offscreen "$python" scripts/qgis_check.py "$@"
