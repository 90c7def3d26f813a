#!/usr/bin/env bash
# Renders the pictures of the README from the bundled data, with the binary of `make build`.
set -euo pipefail
cd "$(dirname "$0")/.."
kiln=target/release/kiln
"$kiln" render data/cities.parquet --weight population --radius 7 --bounds=-12,35,32,60 --size 1024 \
  --background '#12141c' -o docs/cities.png
"$kiln" render data/earthquakes.geojson --weight mag --radius 14 --curve log --size 1024 -o docs/earthquakes.png \
  --legend=docs/earthquakes.legend.png
"$kiln" schemes --preview docs/schemes.png
