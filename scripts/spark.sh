#!/usr/bin/env bash
# Compares bins of ClickHouse and of a Spark cluster with those of Kiln, also after kills: see scripts/spark.py. Installs
# pyspark and chdb in a virtual environment of 1.4 GB, target/spark. Needs Java 17 or newer and Python 3.
# KILN: the binary; default target/debug/kiln.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${SPARK_VENV:-target/spark}
command -v java >/dev/null || scripts/install.sh default-jre-headless
if ! "$venv/bin/python" -c 'import pyspark, chdb, pyarrow, numpy, grpc' 2>/dev/null; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || scripts/install.sh python3 python3-venv
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --no-cache-dir 'pyspark[connect]>=4,<5' 'chdb>=3' 'pyarrow>=20' numpy
fi
exec "$venv/bin/python" scripts/spark.py "$@"
