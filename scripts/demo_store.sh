#!/usr/bin/env bash
# Imports the bundled points into a store: scripts/demo_store.sh FOLDER. Existing layers are not changed.
set -euo pipefail
cd "$(dirname "$0")/.."
store=$1
kiln=target/release/kiln

has() { "$kiln" layer "$1" --store "$store" >/dev/null 2>&1; }

has cities || "$kiln" import data/cities.parquet --layer cities --store "$store" --weight population \
  --title 'Cities by population' --attribution 'GeoNames, CC BY 4.0' --style curve=sqrt --style radius=12
has earthquakes || "$kiln" import data/earthquakes.geojson --layer earthquakes --store "$store" --weight mag \
  --title 'Earthquakes by magnitude' --attribution 'U.S. Geological Survey' --style curve=log --style radius=20
has flights || "$kiln" import data/flights.parquet --layer flights --store "$store" --weight delay --category-column origin \
  --title 'Departures by delay' --attribution 'U.S. Bureau of Transportation Statistics' --style curve=log --style radius=14
