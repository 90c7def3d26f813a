"""Detections on a floor in detections.parquet, and their counts per cell by DuckDB's GROUP BY, as JSON."""
import json
import random

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

random.seed(17)
START_US, DAY_US = 1_704_067_200_000_000, 86_400_000_000


def coordinate(kind, side):
    if kind == 0:
        return random.uniform(-side, side)
    if kind == 1:
        return round(random.uniform(-side, side), 2)
    if kind == 2:
        return random.randint(-40, 40) * 0.3
    return float(random.randint(-20, 20)) / 2


rows = [
    (coordinate(i % 4, 20), coordinate(i // 4 % 4, 12), START_US + random.randrange(30 * DAY_US), f"floor-{i % 3}")
    for i in range(50_000)
]
x, y, time, space = zip(*rows)
table = pa.table({"x": x, "y": y, "time": pa.array(time, pa.timestamp("us", "UTC")), "space": space})
pq.write_table(table, "detections.parquet")

cases = []
for side in [0.5, 0.3, 0.1, 1.0, 7.25, 100.0]:
    for first, last, floor in [(0, 30, None), (7, 14, "floor-1"), (14, 21, None)]:
        start, end = START_US + first * DAY_US, START_US + last * DAY_US
        groups = duckdb.execute(
            """SELECT floor(x / $side::DOUBLE) AS "column", floor(y / $side::DOUBLE) AS "row", count(*) FROM 'detections.parquet'
            WHERE epoch_us(time) >= $start AND epoch_us(time) < $end AND ($floor::VARCHAR IS NULL OR space = $floor::VARCHAR)
            GROUP BY 1, 2""",
            {"side": side, "start": start, "end": end, "floor": floor},
        ).fetchall()
        # Numbers of both programs are compared as the shortest text of each double.
        cells = {f"{(column + 0.5) * side!r},{(row + 0.5) * side!r}": count for column, row, count in groups}
        cases.append({"side": side, "days": [first, last], "floor": floor, "cells": cells})
print(json.dumps({"cases": cases}))
