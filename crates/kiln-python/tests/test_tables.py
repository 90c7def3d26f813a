"""Tables of other libraries."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import kiln
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

VIEW = {"bounds": (0, 40, 30, 65), "size": (300, 200)}


@pytest.fixture(scope="module")
def table(towns) -> pa.Table:
    lon, lat, weight = towns
    days = np.datetime64("2024-01-01", "us") + np.arange(len(lon)).astype("m8[h]")
    kinds = np.array(["bus", "tram"])[np.arange(len(lon)) % 2]
    columns = {"longitude": lon, "latitude": lat, "fare": weight, "pickup": days, "kind": kinds}
    return pa.table(columns)


def forms(table: pa.Table) -> dict[str, object]:
    connection = duckdb.connect()
    connection.register("trips", table)
    return {
        "pyarrow": table,
        "pyarrow in chunks": pa.concat_tables([table.slice(0, 1000), table.slice(1000)]),
        "pyarrow batches": pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=700)),
        "polars": pl.from_arrow(table),
        "pandas": table.to_pandas(),
        "pandas with arrow types": table.to_pandas(types_mapper=pd.ArrowDtype),
        "DuckDB": connection.sql("select * from trips"),
    }


def test_every_table_gives_the_picture_of_its_columns(table, towns):
    expected = kiln.render(*towns, **VIEW).density()
    for name, form in forms(table).items():
        image = kiln.render(form, weight="fare", **VIEW)
        assert np.array_equal(image.density(), expected), name
        assert image.unit == "fare per km²", name


def test_every_table_is_filtered_by_its_columns(table, towns):
    lon, lat, weight = (values[1:48:2] for values in towns)
    expected = kiln.render(lon, lat, weight, **VIEW).density()
    columns = {"weight": "fare", "time": "pickup", "category_column": "kind"}
    for name, form in forms(table).items():
        values = kiln.render(form, **columns, end="2024-01-03", category="tram", **VIEW).density()
        assert np.array_equal(values, expected), name


def test_series_of_other_libraries_are_arrays(table, towns):
    expected = kiln.render(*towns, **VIEW).density()
    for form in [table.to_pandas(), pl.from_arrow(table), table, table.to_pandas(types_mapper=pd.ArrowDtype)]:
        values = kiln.render(form["longitude"], form["latitude"], form["fare"], **VIEW).density()
        assert np.array_equal(values, expected)
    zoned = table.to_pandas()["pickup"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    filtered = kiln.render(*towns, time=zoned, end="2024-01-03", **VIEW)
    assert filtered.report["drawn"] == 48
    kinds = table.to_pandas()["kind"].astype("category")
    assert kiln.render(*towns, category_column=kinds, category="tram", **VIEW).report["drawn"] == 3000


def test_missing_values_are_reported(table):
    frame = table.to_pandas()
    frame.loc[3, "latitude"] = None
    with pytest.warns(kiln.KilnWarning, match="row 4: latitude is empty"):
        assert kiln.render(frame, weight="fare", **VIEW).report["rejected"] == 1


def test_data_frames_need_no_pyarrow(table, tmp_path, towns):
    np.savez(tmp_path / "columns.npz", **{name: table[name].to_numpy() for name in table.column_names[:4]})
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import kiln, pandas\n"
        f"import numpy; frame = pandas.DataFrame(dict(numpy.load({str(tmp_path / 'columns.npz')!r})))\n"
        "frame['kind'] = ['bus', 'tram'] * 3000\n"
        f"image = kiln.render(frame, weight='fare', time='pickup', category='tram', end='2024-01-03', **{VIEW!r})\n"
        "print(image.report['drawn'], image.unit)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == "24 fare per km²\n", done.stderr


def test_an_invalid_table_is_an_error_that_names_the_column(table):
    with pytest.raises(ValueError, match='^the table: there is no column "fair" for the weight; .*"fare"'):
        kiln.render(table, weight="fair", **VIEW)
    with pytest.raises(TypeError, match="^weight is an array, but the points are those of a table"):
        kiln.render(table, weight=[1.0] * 6000)
