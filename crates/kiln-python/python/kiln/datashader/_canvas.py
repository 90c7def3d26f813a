"""Canvases and reductions with the interface of datashader."""

from __future__ import annotations

from typing import Any

from .. import _kiln
from .._points import source, warn

__all__ = ["Aggregate", "Canvas", "any", "count", "max", "mean", "min", "sum"]


class Reduction:
    """What the value of a pixel is. `column` is the column of the values."""

    def __init__(self, column: str | None = None) -> None:
        self.column = column

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.column or ''})"


class count(Reduction):
    """The number of points."""


class any(Reduction):
    """Whether there is a point."""


class _OfColumn(Reduction):
    def __init__(self, column: str) -> None:
        super().__init__(column)


class sum(_OfColumn):
    """The sum of the values."""


class mean(_OfColumn):
    """The mean of the values."""


class min(_OfColumn):
    """The least value."""


class max(_OfColumn):
    """The greatest value."""


class Aggregate:
    """Values per pixel, row by row from the lowest y. A pixel without points is 0 for counts, and NaN otherwise."""

    def __init__(self, data: Any, x_range: tuple[float, float], y_range: tuple[float, float], name: str = "") -> None:
        self.data, self.x_range, self.y_range, self.name = data, x_range, y_range, name

    @property
    def values(self) -> Any:
        """The array of NumPy."""
        return self.data

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.data.shape

    @property
    def dtype(self) -> Any:
        """The type of the values."""
        return self.data.dtype

    def copy(self, data: Any = None) -> Aggregate:
        """A copy, with other values if `data` is given."""
        return Aggregate(self.data.copy() if data is None else data, self.x_range, self.y_range, self.name)

    def where(self, condition: Any) -> Aggregate:
        """The values where `condition` is true, and NaN elsewhere."""
        import numpy as np

        return self.copy(np.where(np.asarray(condition), self.data, np.nan))

    def to_xarray(self) -> Any:
        """The aggregate as an array of xarray, with the coordinates of the centers of pixels, as datashader returns it."""
        import numpy as np
        import xarray

        def centers(ends: tuple[float, float], size: int) -> Any:
            low, high = ends
            return low + (np.arange(size) + 0.5) * (high - low) / size

        height, width = self.shape
        coordinates = {"y": centers(self.y_range, height), "x": centers(self.x_range, width)}
        ranges = {"x_range": self.x_range, "y_range": self.y_range}
        return xarray.DataArray(self.data, coordinates, ("y", "x"), name=self.name or None, attrs=ranges)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.data if dtype is None else self.data.astype(dtype)

    def __gt__(self, other: Any) -> Any:
        return self.data > other

    def __lt__(self, other: Any) -> Any:
        return self.data < other

    def max(self) -> Any:
        """The greatest value."""
        import numpy as np

        return np.nanmax(self.data)

    def min(self) -> Any:
        """The least value."""
        import numpy as np

        return np.nanmin(self.data)

    def sum(self) -> Any:
        """The sum of the values."""
        import numpy as np

        return np.nansum(self.data)

    def __repr__(self) -> str:
        height, width = self.shape
        return f"<kiln.datashader.Aggregate {width}x{height} of x {self.x_range}, y {self.y_range}>"


class Canvas:
    """The pixels that points are aggregated in. Without a range, it is that of the points. Both axes are linear."""

    def __init__(
        self,
        plot_width: int = 600,
        plot_height: int = 600,
        x_range: tuple[float, float] | None = None,
        y_range: tuple[float, float] | None = None,
        x_axis_type: str = "linear",
        y_axis_type: str = "linear",
    ) -> None:
        for name, kind in (("x_axis_type", x_axis_type), ("y_axis_type", y_axis_type)):
            if kind != "linear":
                raise ValueError(f"{name}: {kind!r} is not supported; expected linear")
        self.plot_width, self.plot_height = plot_width, plot_height
        self.x_range, self.y_range = _range(x_range, "x_range"), _range(y_range, "y_range")

    def points(self, df: Any, x: str, y: str, agg: Reduction | None = None) -> Aggregate:
        """Aggregates the points of a table; `x` and `y` are names of columns, and `agg` is a reduction, by default a count."""
        import numpy as np

        agg = count() if agg is None else agg
        if isinstance(agg, type) or not isinstance(agg, Reduction):
            raise TypeError(f"agg: {agg!r} is not a reduction such as count() or sum('fare')")
        is_weighted = isinstance(agg, _OfColumn)
        keywords = {"crs": "plane", "lon": x, "lat": y, "weight": agg.column if is_weighted else "none"}
        found = _kiln.bins(
            source((df,), {}, keywords), (self.plot_width, self.plot_height), self.x_range, self.y_range, is_weighted
        )
        warn(found["losses"], stacklevel=2)

        def array(name: str, kind: str) -> Any:
            return np.frombuffer(found[name], kind).reshape(self.plot_height, self.plot_width)

        counts = array("count", "u4")
        if isinstance(agg, any):
            values = counts > 0
        elif isinstance(agg, count):
            values = counts
        elif isinstance(agg, sum):
            values = np.where(counts > 0, array("sum", "f8"), np.nan)
        elif isinstance(agg, mean):
            with np.errstate(invalid="ignore"):
                values = array("sum", "f8") / counts
        else:
            name = "min" if isinstance(agg, min) else "max"
            values = np.where(counts > 0, array(name, "f4"), np.nan)
        return Aggregate(values, found["x_range"], found["y_range"], agg.column or "")


def _range(ends: tuple[float, float] | None, name: str) -> tuple[float, float] | None:
    if ends is None:
        return None
    low, high = (float(end) for end in ends)
    if not low < high:
        raise ValueError(f"{name}: {low} is not below {high}")
    return low, high
