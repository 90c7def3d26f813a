#!/usr/bin/env bash
# Installs the third-party readers with which tests check Kiln's files, in a virtual environment: of Arrow files, PMTiles and
# cloud-optimized GeoTIFFs; OpenCV and pycocotools, with which masks are compared; and DuckDB and pandas, with which occupancy
# grids and matrices are compared; and a validator and a generator of clients for the OpenAPI document, and a parser of metrics;
# and Sail, a server of Spark Connect, and a client, with which bins are compared; moto, a server of S3; and a client of the Model
# Context Protocol.
# Needs Python 3.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/readers
if "$venv/bin/python" -c 'import pyarrow, polars, pmtiles, rio_cogeo, cv2, pycocotools, duckdb, pandas, openapi_spec_validator, openapi_python_client, prometheus_client, pysail, pyspark, moto, flask_cors, mcp.client.client' 2>/dev/null; then
  exit
fi
python3 -c 'import venv, ensurepip' 2>/dev/null || scripts/install.sh python3 python3-venv
python3 -m venv --clear "$venv"
"$venv/bin/pip" install --quiet 'pyarrow>=20' 'polars>=1.30,<3' 'pmtiles>=3.4,<4' 'rio-cogeo>=5,<8' \
  'opencv-python-headless>=4.10,<6' 'pycocotools>=2.0.8,<3' 'duckdb>=1.3,<3' 'pandas>=2.2,<4' \
  'openapi-spec-validator>=0.7,<1' 'openapi-python-client>=0.29,<1' 'prometheus-client>=0.21,<1' \
  'pysail>=0.7,<1' 'pyspark-client>=4,<5' 'moto[s3]>=5,<6' 'flask>=3,<4' 'flask-cors>=5,<7' 'mcp>=2.3,<3'
