"""Types of keywords, for type checkers and editors."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from typing import Any, Literal, TypedDict, Union

#: A time: a text, a date or a time of Python, NumPy or pandas, or seconds since 1970.
Time = Union[str, float, datetime.date, datetime.datetime, Any]


class Filter(TypedDict, total=False):
    """Which points are drawn."""

    start: Time
    end: Time
    hours: str | int | Sequence[int | str]
    weekdays: str | Sequence[str]
    months: str | int | Sequence[int | str]
    tz: str
    category: str | Sequence[str]


class Style(Filter, total=False):
    """How points are drawn. `kiln.keywords()` describes each keyword."""

    agg: Literal["sum", "count", "mean", "max"]
    background: str
    blend: Literal["add", "classic"]
    curve: Literal["linear", "sqrt", "log", "eqhist"]
    dot_size: float
    gradient: str | Sequence[str]
    kernel: Literal["gaussian", "quartic", "epanechnikov", "triangular", "cone", "uniform"]
    normalize: str
    opacity: float | str
    radius: float | str
    rescale: str | tuple[float, float]
    scheme: str
    threads: int
    transparent_low: float | str
    units: Literal["per_km2", "per_m2", "per_px"]
    vmax: float
    vmin: float


class Rows(TypedDict, total=False):
    """How files and tables are read."""

    crs: str
    day_first: bool
    encoding: str
    geometry: str | int
    order: Literal["lon-lat", "lat-lon"]
    quote: Literal["double", "none"]
    records: str
    time_format: str
    track: str | int


class View(Style, total=False):
    """What a picture shows."""

    bounds: str | tuple[float, float, float, float] | Sequence[float]
    fit: Literal["padded", "tight"]
    projection: Literal["mercator", "platecarree", "plane"]
    size: int | str | tuple[int, int]


class RowsAndStyle(Rows, Style, total=False):
    """The keywords of a layer."""


class RowsAndView(Rows, View, total=False):
    """The keywords of a picture."""


#: The path of a file.
Path = Union[str, "os.PathLike[str]"]
