"""Layers: points for many pictures and tiles."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import _kiln
from ._points import source, warn

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._typing import RowsAndStyle, Style, View


class Layer:
    """Points in memory or in a store, for many pictures and tiles.

    `points` are those of `render`, or the folder of a store; `name` is then the name of a layer in it. The keywords are those
    of `render`. A filter selects the points to read; a style is the default of all pictures.

    All pictures at a zoom have the same color for the same value, so neighboring tiles meet without a seam.
    """

    def __init__(
        self,
        *points: Any,
        name: str | None = None,
        lon: Any = None,
        lat: Any = None,
        weight: Any = None,
        time: Any = None,
        category_column: Any = None,
        **keywords: Unpack[RowsAndStyle],
    ) -> None:
        if len(points) == 1 and isinstance(points[0], _kiln.Layer):
            self._layer = points[0]
            return
        if len(points) == 1 and isinstance(points[0], (str, os.PathLike)) and os.path.isdir(points[0]):
            columns = {"lon": lon, "lat": lat, "weight": weight, "time": time, "category_column": category_column}
            given = [keyword for keyword, value in {**columns, **keywords}.items() if value is not None]
            if given:
                raise TypeError(f"{given[0]}: a layer of a store has its columns and style; give it to render() or tile()")
            self._layer = _stored(os.fspath(points[0]), name)
        else:
            roles = {"lon": lon, "lat": lat, "weight": weight, "time": time, "category_column": category_column}
            read = source(points, roles, keywords)
            self._layer = _kiln.Layer.of_source(read, name or _name_of(points), keywords)
        warn(self._layer.losses, stacklevel=2)

    @property
    def name(self) -> str:
        """The name."""
        return self._layer.name

    @property
    def title(self) -> str:
        """The title of legends."""
        return self._layer.title

    @property
    def points(self) -> int:
        """The number of points."""
        return self._layer.points

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the points."""
        return self._layer.bounds

    @property
    def center(self) -> tuple[float, float, int]:
        """Longitude, latitude and zoom of a map on which all points are visible."""
        return self._layer.center

    @property
    def weight(self) -> str | None:
        """The name of the weights; None if every point has a weight of 1."""
        return self._layer.weight

    @property
    def style(self) -> dict[str, str]:
        """The default style of pictures."""
        return dict(self._layer.style)

    @property
    def version(self) -> str:
        """A text that changes with the points."""
        return self._layer.version

    @property
    def remarks(self) -> list[str]:
        """Remarks on the points, such as rows that were rejected."""
        return self._layer.remarks

    def render(self, **keywords: Unpack[View]) -> _kiln.Image:
        """Renders `bounds`, or without them all points. The keywords are those of `render`."""
        return self._layer.render(keywords)

    def tile(self, z: int, x: int, y: int, *, pixel_ratio: int = 1, **keywords: Unpack[Style]) -> _kiln.Image:
        """Renders a tile of 256 pixels times `pixel_ratio`, 1 to 4. The keywords are a style and a filter."""
        return self._layer.tile(z, x, y, pixel_ratio, keywords)

    def legend(
        self, zoom: int | None = None, *, title: str | None = None, pixel_ratio: float = 1.0, **keywords: Unpack[Style]
    ) -> _kiln.Png:
        """The legend of the tiles of a zoom. Default: the one at which the layer fits into about 1024 pixels."""
        return self._layer.legend(zoom, title, pixel_ratio, keywords)

    def value(self, lon: float, lat: float, zoom: int | None = None, **keywords: Unpack[Style]) -> dict[str, Any]:
        """The value at a position on the tiles of a zoom: `value`, `unit`, and `rank`, from 0 to 1, among the map's pixels."""
        return self._layer.value(lon, lat, zoom, keywords)

    def __repr__(self) -> str:
        return f"<kiln.Layer {self.name}, {self.points:,} points>"


def _stored(folder: str, name: str | None) -> _kiln.Layer:
    """The layer of a store, or of the folder of a layer in a store."""
    parent, last = os.path.split(os.path.abspath(folder))
    if name is None and os.path.exists(os.path.join(folder, "manifest.json")):
        return _kiln.Layer.stored(parent, last)
    return _kiln.Layer.stored(folder, name)


def _name_of(points: tuple[Any, ...]) -> str:
    """The name of a layer: that of its file."""
    if len(points) == 1 and isinstance(points[0], (str, os.PathLike)):
        return os.path.basename(os.fspath(points[0])).split(".")[0] or "points"
    return "points"
