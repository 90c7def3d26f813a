#!/usr/bin/env bash
# Installs the foreign readers that the tests hold our files against, in an environment of their own: of Arrow files, of
# PMTiles, and of cloud-optimized GeoTIFFs; and OpenCV, which the masks are held against. Needs Python 3.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/readers
if "$venv/bin/python" -c 'import pyarrow, polars, pmtiles, rio_cogeo, cv2' 2>/dev/null; then
  exit
fi
python3 -c 'import venv, ensurepip' 2>/dev/null || scripts/install.sh python3 python3-venv
python3 -m venv --clear "$venv"
"$venv/bin/pip" install --quiet 'pyarrow>=20' 'polars>=1.30,<3' 'pmtiles>=3.4,<4' 'rio-cogeo>=5,<8' \
  'opencv-python-headless>=4.10,<6'
