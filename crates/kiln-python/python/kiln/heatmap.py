"""The interface of the Python library `heatmap` 2.2.1, with the same pictures.

    from kiln import heatmap

    picture = heatmap.Heatmap().heatmap(points, dotsize=150, opacity=128, size=(1024, 1024), scheme="classic")
    picture.save("classic.png")

Needs Pillow: `pip install 'kiln[pillow]'`. Every pixel is that of the library. It differs in three ways: an invalid argument is a
`ValueError` that names it, `saveKML` does not exchange east and west, and it is safe in threads.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

from . import _kiln

__all__ = ["Heatmap"]

_SCHEMES = ["classic", "fire", "omg", "pbj", "pgaitch"]

_KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2">
  <Folder>
    <GroundOverlay>
      <Icon>
        <href>{href}</href>
      </Icon>
      <LatLonBox>
        <north>{north:2.16f}</north>
        <south>{south:2.16f}</south>
        <east>{east:2.16f}</east>
        <west>{west:2.16f}</west>
        <rotation>0</rotation>
      </LatLonBox>
    </GroundOverlay>
  </Folder>
</kml>
"""


class Heatmap:
    """Draws heat maps of dots that multiply."""

    def __init__(self, libpath: str | None = None) -> None:
        """`libpath` has no effect: there is no other library to load."""
        self.img: Any = None
        self.override = 0
        self.points: list[tuple[float, float]] = []
        self.size: tuple[int, int] = (0, 0)
        self.area: Any = None

    def heatmap(
        self,
        points: Iterable[tuple[float, float]],
        dotsize: int = 150,
        opacity: int = 128,
        size: tuple[int, int] = (1024, 1024),
        scheme: str = "classic",
        area: tuple[tuple[float, float], tuple[float, float]] | None = None,
    ) -> Any:
        """Draws `points`, pairs of x and y such as longitude and latitude, and returns an image of Pillow.

        `dotsize` is in pixels, and `opacity` from 0 to 255. `area` is ((west, south), (east, north)) of the picture; without
        it, that of the points.
        """
        try:
            from PIL import Image
        except ImportError:
            raise ImportError("kiln.heatmap needs Pillow: pip install 'kiln[pillow]'") from None
        if scheme not in self.schemes():
            raise ValueError(f"scheme: unknown color scheme {scheme!r}; expected one of {', '.join(self.schemes())}")
        if isinstance(opacity, bool) or not isinstance(opacity, int) or not 0 <= opacity <= 255:
            raise ValueError(f"opacity: {opacity!r} is not a whole number from 0 to 255")
        if not isinstance(dotsize, (int, float)) or not 0 < dotsize:
            raise ValueError(f"dotsize: {dotsize!r} is not a number of pixels above 0")
        width, height = size
        if not all(isinstance(side, int) and side > 0 for side in (width, height)):
            raise ValueError(f"size: {size!r} is not a width and a height in pixels, both above 0")
        positions = _pairs(points)
        if not positions:
            raise ValueError("points: there are none")
        edges = None
        if area is not None:
            (west, south), (east, north) = area
            edges = (float(west), float(south), float(east), float(north))
        pixels = _kiln.classic(positions, dotsize, opacity, (width, height), scheme, edges)
        self.points, self.size, self.area = positions, (width, height), area
        self.override = int(area is not None)
        self.img = Image.frombuffer("RGBA", (width, height), pixels, "raw", "RGBA", 0, 1)
        return self.img

    def saveKML(self, kmlFile: str | os.PathLike[str]) -> None:
        """Writes a KML file that shows the last picture on Google Earth, and the picture in the same folder, with the ending `.png`."""
        if self.img is None:
            raise ValueError("saveKML: there is no picture; call heatmap() first")
        path = os.fspath(kmlFile)
        picture = os.path.splitext(path)[0] + ".png"
        self.img.save(picture)
        west, south, east, north = self._bounds()
        href = os.path.basename(picture)
        with open(path, "w", encoding="utf-8") as file:
            file.write(_KML.format(href=_escaped(href), north=north, south=south, east=east, west=west))

    def schemes(self) -> list[str]:
        """The names of the color schemes."""
        return list(_SCHEMES)

    def _bounds(self) -> tuple[float, float, float, float]:
        if self.area is not None:
            (west, south), (east, north) = self.area
            return west, south, east, north
        finite = [(x, y) for x, y in self.points if math.isfinite(x) and math.isfinite(y)]
        xs, ys = zip(*finite)
        return min(xs), min(ys), max(xs), max(ys)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _pairs(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Pairs of numbers."""
    pairs = []
    for index, point in enumerate(points):
        try:
            x, y = point
            pairs.append((float(x), float(y)))
        except (TypeError, ValueError):
            raise ValueError(f"points: {point!r} at index {index} is not a pair of numbers") from None
    return pairs
