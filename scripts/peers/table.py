"""The points of a file, as columns: what both peers read in the same way."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

COLUMNS = ["lon", "lat", "weight"]


def read(path: str) -> pa.Table:
    """The columns `lon`, `lat` and `weight` of a .parquet or .csv file, read by all threads."""
    if Path(path).suffix == ".parquet":
        return pa.parquet.read_table(path, columns=COLUMNS)
    return pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(include_columns=COLUMNS))
