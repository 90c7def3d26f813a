#!/usr/bin/env python3
"""Writes synthetic points for measurements: points.py COUNT FILE...

Nine points in ten lie in 500 towns between 55° S and 70° N, whose shares follow a Pareto distribution; the others lie
anywhere between 85° S and 85° N. Columns: `lon` and `lat` in degrees, six decimals, and `weight`, a whole number from 1 to
10. The same count gives the same points. A FILE ends in .parquet or .csv. Needs numpy and pyarrow.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

TOWNS = 500
SEED = 20_181


def points(count: int) -> pa.Table:
    """The points, in random order."""
    random = np.random.default_rng(SEED)
    town_lon = random.uniform(-170, 175, TOWNS)
    town_lat = np.clip(random.normal(28, 26, TOWNS), -55, 70)
    share = random.pareto(1.1, TOWNS) + 0.1
    share /= share.sum()
    # The area of a town grows with its number of points, so that a large one is wider and not only denser.
    spread_deg = 8 * np.sqrt(share)

    town = random.choice(TOWNS, count, p=share)
    lon = town_lon[town] + random.standard_normal(count) * spread_deg[town]
    lat = town_lat[town] + random.standard_normal(count) * spread_deg[town] * 0.7
    anywhere = random.random(count) < 0.1
    lon[anywhere] = random.uniform(-180, 180, anywhere.sum())
    lat[anywhere] = random.uniform(-85, 85, anywhere.sum())
    lon = np.round(np.clip(lon, -180, 179.999999), 6)
    lat = np.round(np.clip(lat, -85, 85), 6)
    return pa.table({"lon": lon, "lat": lat, "weight": random.integers(1, 11, count, dtype=np.int32)})


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    table = points(int(sys.argv[1]))
    for path in map(Path, sys.argv[2:]):
        if path.suffix == ".parquet":
            pa.parquet.write_table(table, path)
        elif path.suffix == ".csv":
            pa.csv.write_csv(table, path)
        else:
            sys.exit(f"{path}: the ending is neither .parquet nor .csv")


main()
