#!/usr/bin/env bash
# Draws the README's pictures anew from the bundled data, with the binary that `make build` made.
set -euo pipefail
cd "$(dirname "$0")/.."
kiln=target/release/kiln
"$kiln" render data/cities.parquet --weight population --radius 7 --bounds=-12,35,32,60 --size 1024 \
  --background '#12141c' -o docs/cities.png
"$kiln" render data/earthquakes.geojson --weight mag --radius 14 --curve log --size 1024 -o docs/earthquakes.png \
  --legend=docs/earthquakes.legend.png
"$kiln" schemes --preview docs/schemes.png
