"""Rendering of points to a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _kiln
from ._points import source, warn

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._typing import RowsAndView


def render(
    *points: Any,
    lon: Any = None,
    lat: Any = None,
    weight: Any = None,
    time: Any = None,
    category_column: Any = None,
    **keywords: Unpack[RowsAndView],
) -> _kiln.Image:
    """Renders points to a picture.

    `points` are two or three arrays, longitude, latitude and weight; an array of such rows; a table: of pandas, geopandas,
    polars, pyarrow, DuckDB or any other that has the Arrow C stream interface, or a dict of columns; or the paths of files.
    For a table or a file, `lon`, `lat`, `weight`, `time` and `category_column` are names of columns; by default, the usual
    names are found.

    The keywords are those of the command line: `bounds`, `size`, `radius`, `scheme` and others, which `keywords()` lists.
    Rows that cannot be drawn are warned of with a `KilnWarning`.
    """
    roles = {"lon": lon, "lat": lat, "weight": weight, "time": time, "category_column": category_column}
    read = source(points, roles, keywords)
    image = _kiln.render(read, keywords)
    warn(image.losses, stacklevel=2)
    return image
