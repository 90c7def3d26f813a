"""Points of arrays, tables and files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

from ._kiln import Source

#: The columns of points that can be arrays.
ROLES = ("lon", "lat", "weight", "time", "category_column")


class KilnWarning(UserWarning):
    """Points that were dropped or changed, such as rows without coordinates."""


def warn(remarks: list[str], stacklevel: int) -> None:
    """Warns of each remark; `stacklevel` is that of the caller of the public function."""
    for remark in remarks:
        warnings.warn(remark, KilnWarning, stacklevel=stacklevel + 1)


def split(roles: dict[str, Any], keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits columns into arrays, and names of columns, which are keywords."""
    arrays = {role: value for role, value in roles.items() if value is not None and not isinstance(value, (str, int))}
    names = {role: value for role, value in roles.items() if isinstance(value, (str, int))}
    return arrays, {**keywords, **names}


def source(points: tuple[Any, ...], roles: dict[str, Any], keywords: Mapping[str, Any]) -> Source:
    """The source of positional arguments `points`, columns and keywords."""
    if len(points) > 3:
        raise TypeError(f"{len(points)} positional arguments; expected a table, a file, or lon, lat and weight")
    if len(points) > 1:
        for role, value in zip(ROLES, points):
            if roles.get(role) is not None:
                raise TypeError(f"{role} is given twice, by position and by keyword")
            roles = {**roles, role: value}
        points = ()
    arrays, names = split(roles, keywords)
    if not points:
        return _of_arrays(arrays, names)
    (data,) = points
    if isinstance(data, Source):
        return data
    if isinstance(data, (str, os.PathLike)):
        data = [data]
    if isinstance(data, (list, tuple)) and data and all(isinstance(item, (str, os.PathLike)) for item in data):
        _reject_arrays(arrays, "a file")
        return Source.files([os.fspath(path) for path in data], names)
    if _is_positions(data):
        return _of_positions(data, arrays, names)
    _reject_arrays(arrays, "a table")
    return _of_table(data, names)


def _reject_arrays(arrays: dict[str, Any], of: str) -> None:
    if arrays:
        role = next(iter(arrays))
        raise TypeError(f"{role} is an array, but the points are those of {of}; give the name of a column")


def _is_positions(data: Any) -> bool:
    """Whether `data` is a two-dimensional array, or a sequence of pairs."""
    if hasattr(data, "__arrow_c_stream__") or isinstance(data, Mapping) or hasattr(data, "columns"):
        return False
    if getattr(getattr(data, "dtype", None), "names", None):
        return False
    return isinstance(data, (list, tuple)) or hasattr(data, "__array__") or hasattr(data, "__array_interface__")


def _of_positions(data: Any, arrays: dict[str, Any], keywords: Mapping[str, Any]) -> Source:
    import numpy as np

    positions = np.asarray(data)
    if positions.ndim != 2 or positions.shape[1] not in (2, 3):
        shape = " x ".join(map(str, positions.shape))
        raise ValueError(f"points: an array of {shape}; expected rows of longitude, latitude and optionally weight")
    columns = dict(zip(ROLES, positions.T))
    for role in columns:
        if role in arrays:
            raise TypeError(f"{role} is given twice, as a column of the points and by keyword")
    return _of_arrays({**columns, **arrays}, keywords)


def _of_arrays(arrays: dict[str, Any], keywords: Mapping[str, Any]) -> Source:
    # For a table a number is that of a column, and here the same value for each point.
    numbers_given = {role: value for role, value in keywords.items() if role in ROLES and not isinstance(value, str)}
    arrays = {**arrays, **numbers_given}
    keywords = {name: value for name, value in keywords.items() if name not in numbers_given}
    for role in ("lon", "lat"):
        if role not in arrays:
            given = "a name" if role in keywords else "missing"
            raise TypeError(f"{role} is {given}; give lon and lat as arrays, a table, or a file")
    lon, lat = (numbers(arrays[role], role) for role in ("lon", "lat"))
    weight = arrays.get("weight")
    weight = None if weight is None else numbers(weight, "weight", like=lon)
    time = arrays.get("time")
    time = None if time is None else times(time)
    category = arrays.get("category_column")
    categories = None if category is None else encoded(category)
    crs = keywords.get("crs")
    if crs is None or str(crs).lower() == "plane":
        return Source.arrays(lon, lat, weight, time, categories, keywords)
    # Coordinates are transformed by the reader of tables.
    columns = {"lon": lon.astype("f8"), "lat": lat.astype("f8")}
    if weight is not None:
        columns["weight"] = weight.astype("f8")
    if time is not None:
        columns["time"] = time.astype("M8[us]")
    if categories is not None:
        codes, names = categories
        columns["category"] = [names[code] if code < len(names) else None for code in codes.tolist()]
    return Source.columns(columns, keywords)


def numbers(values: Any, name: str, like: Any = None) -> Any:
    """An array of numbers, without a copy where its type is supported."""
    import numpy as np

    if isinstance(values, np.ma.MaskedArray):
        # The data below a mask is no value.
        array = np.ma.filled(values.astype("f8"), np.nan)
    elif hasattr(values, "to_numpy") and not isinstance(getattr(values, "dtype", None), np.dtype):
        array = _of_series(values)
    else:
        array = np.asarray(values)
    if array.dtype.kind in "cmM":
        # NumPy converts these to numbers without an error: imaginary parts are lost, and times are counts of their unit.
        raise TypeError(f"{name}: the array is of type {array.dtype}; expected numbers")
    if array.dtype.kind not in "fiub" or array.dtype.itemsize not in (1, 2, 4, 8) or array.dtype.str == "<f2":
        try:
            array = array.astype("f8")
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name}: {error}; expected numbers") from None
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim == 0 and like is not None:
        # The same number for each point.
        return np.broadcast_to(array, like.shape)
    return array


def _of_series(values: Any) -> Any:
    """An array of a series with missing values, whose type is not one of NumPy."""
    import numpy as np

    try:
        return values.to_numpy(dtype="float64", na_value=np.nan)
    except TypeError:
        # Those of polars and pyarrow have no such parameter.
        return np.asarray(values)


def times(values: Any) -> Any:
    """An array of times in UTC: of `datetime64`, dates, texts, or numbers of seconds since 1970."""
    import numpy as np

    zone = getattr(getattr(values, "dtype", None), "tz", None)
    if zone is not None and hasattr(values, "dt"):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    elif zone is not None and hasattr(values, "tz_convert"):
        values = values.tz_convert("UTC").tz_localize(None)
    array = np.asarray(values)
    if array.dtype.kind in "fiu":
        array = (array.astype("f8") * 1e6).astype("M8[us]")
    elif array.dtype.kind != "M" or array.dtype.str not in _TIME_TYPES:
        try:
            array = array.astype("M8[us]")
        except (TypeError, ValueError) as error:
            raise TypeError(f"time: {error}; expected dates or times") from None
    return array


_TIME_TYPES = {f"<M8[{unit}]" for unit in ("D", "h", "m", "s", "ms", "us", "ns")}


def encoded(values: Any) -> tuple[Any, list[str]]:
    """The codes and names of categories. A missing or empty one has the greatest code."""
    import numpy as np

    none = np.uint32(0xFFFF_FFFF)
    categorical: Any = getattr(values, "cat", None)
    if hasattr(categorical, "codes"):
        names = [str(name) for name in categorical.categories]
        codes = np.asarray(categorical.codes).astype("i8")
    else:
        array = np.asarray(values, dtype=object)
        missing = np.fromiter((value is None or value != value for value in array), bool, len(array))
        unique, codes = np.unique(np.where(missing, "", array).astype(str), return_inverse=True)
        names = unique.tolist()
    codes = np.where(codes < 0, none, codes).astype("u4")
    if "" in names:
        codes[codes == names.index("")] = none
        # A name that no point has; empty names are not allowed.
        names = [name or "-" for name in names]
    return codes, names


def _of_table(data: Any, keywords: Mapping[str, Any]) -> Source:
    names = getattr(getattr(data, "dtype", None), "names", None)
    if names:
        # A structured array of NumPy.
        return Source.columns({name: _column(data[name], name) for name in names}, keywords)
    if isinstance(data, Mapping):
        return Source.columns({str(name): _column(values, str(name)) for name, values in data.items()}, keywords)
    if hasattr(data, "geometry") and hasattr(data, "to_arrow"):
        # A table of geopandas, whose geometries have a reference system.
        data = data.to_arrow()
    for method in ("__arrow_c_stream__", "fetch_arrow_table", "to_arrow_table"):
        read = getattr(data, method, None)
        if read is None:
            continue
        try:
            return Source.stream(read() if method == "__arrow_c_stream__" else read().__arrow_c_stream__(), keywords)
        except ImportError:
            # pandas needs pyarrow for a stream.
            break
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        return Source.columns({str(name): _column(data[name], str(name)) for name in data.columns}, keywords)
    kind = type(data).__name__
    raise TypeError(f"points: a {kind} is not accepted; expected arrays, a table, or the path of a file")


def _column(values: Any, name: str) -> Any:
    """A column as an array of float64, int64 or datetime64[us], or a list of texts."""
    import numpy as np

    if getattr(getattr(values, "dtype", None), "tz", None) is not None:
        return times(values).astype("M8[us]")
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name}: the column has {array.ndim} dimensions; expected one")
    if array.dtype.kind == "M":
        return array.astype("M8[us]")
    if array.dtype.kind in "iub":
        return array.astype("i8")
    if array.dtype.kind == "f":
        return array.astype("f8")
    missing = [value is None or value != value for value in array.tolist()]
    try:
        return np.where(missing, np.nan, array).astype("f8")
    except (TypeError, ValueError):
        return [None if is_missing else str(value) for value, is_missing in zip(array.tolist(), missing)]
