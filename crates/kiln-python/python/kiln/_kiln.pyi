"""The computations of the package."""

import os
from collections.abc import Mapping
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

__version__: str

class Image:
    """A rendered picture: its pixels, its values with bounds and unit, and its files."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north, in degrees or plane units."""
    @property
    def corners(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The corners for an image overlay of Leaflet: ((south, west), (north, east))."""
    @property
    def projection(self) -> Literal["mercator", "platecarree", "plane"]: ...
    @property
    def width(self) -> int:
        """Width in pixels."""
    @property
    def height(self) -> int:
        """Height in pixels."""
    @property
    def unit(self) -> str:
        """The unit of the values, such as `points per km²`."""
    @property
    def span(self) -> tuple[float, float] | None:
        """The values of the coldest and the hottest color; None for the classic blend, whose colors are absolute."""
    @property
    def report(self) -> dict[str, int]:
        """What became of the rows: read, drawn, outside, filtered and rejected."""
    @property
    def remarks(self) -> list[str]:
        """Remarks on the points, such as the weight column that was found, or rows that were rejected."""
    @property
    def losses(self) -> list[str]:
        """Remarks on values that were dropped or changed, of which `render` warns."""
    def png(self) -> bytes:
        """The picture as PNG."""
    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture to a file: `.png`, or `.tif` with the values."""
    @overload
    def to_geotiff(self, path: None = None, *, bands: Literal["density", "rgba"] = "density") -> bytes: ...
    @overload
    def to_geotiff(self, path: str | os.PathLike[str], *, bands: Literal["density", "rgba"] = "density") -> None:
        """The picture as GeoTIFF, returned or written to `path`: the values as float32, or the colors."""
    def density(self) -> NDArray[np.float32]:
        """The values in `unit`, with the northernmost row first; NaN: no value. A read-only view, not a copy."""
    def indices(self) -> NDArray[np.uint8]:
        """The palette indices, with the northernmost row first. A read-only view, not a copy."""
    def rgba(self) -> NDArray[np.uint8]:
        """Red, green, blue and straight alpha, height x width x 4."""
    def to_pil(self) -> Any:
        """The picture as an image of Pillow."""
    def legend(self, title: str | None = None, *, pixel_ratio: float = 1.0) -> Png:
        """The legend of the picture."""
    def value(self, lon: float, lat: float) -> float | None:
        """The value of the pixel at a position; None outside of the picture or without a value."""
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]: ...
    def _repr_png_(self) -> bytes: ...

class Png:
    """An encoded picture."""

    def png(self) -> bytes:
        """The bytes of the file."""
    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file."""
    def _repr_png_(self) -> bytes: ...

class Source:
    """Points of arrays, tables or files."""

    @staticmethod
    def arrays(
        lon: NDArray[Any],
        lat: NDArray[Any],
        weight: NDArray[Any] | None,
        time: NDArray[Any] | None,
        categories: tuple[NDArray[np.uint32], list[str]] | None,
        keywords: Mapping[str, Any],
    ) -> Source: ...
    @staticmethod
    def stream(capsule: Any, keywords: Mapping[str, Any]) -> Source: ...
    @staticmethod
    def columns(columns: dict[str, Any], keywords: Mapping[str, Any]) -> Source: ...
    @staticmethod
    def files(paths: list[str], keywords: Mapping[str, Any]) -> Source: ...

class Layer:
    @staticmethod
    def of_source(source: Source, name: str, keywords: Mapping[str, Any]) -> Layer: ...
    @staticmethod
    def stored(folder: str, name: str | None) -> Layer: ...
    def render(self, keywords: Mapping[str, Any]) -> Image: ...
    def tile(self, z: int, x: int, y: int, pixel_ratio: int, keywords: Mapping[str, Any]) -> Image: ...
    def legend(self, zoom: int | None, title: str | None, pixel_ratio: float, keywords: Mapping[str, Any]) -> Png: ...
    def value(self, lon: float, lat: float, zoom: int | None, keywords: Mapping[str, Any]) -> dict[str, Any]: ...
    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def points(self) -> int: ...
    @property
    def bounds(self) -> tuple[float, float, float, float]: ...
    @property
    def center(self) -> tuple[float, float, int]: ...
    @property
    def weight(self) -> str | None: ...
    @property
    def is_plane(self) -> bool: ...
    @property
    def style(self) -> list[tuple[str, str]]: ...
    @property
    def version(self) -> str: ...
    @property
    def remarks(self) -> list[str]: ...
    @property
    def losses(self) -> list[str]: ...

class Server:
    """A server on a thread of its own."""

    @property
    def url(self) -> str:
        """The URL of the map page."""
    @property
    def token(self) -> str | None:
        """The token for writes, if the server made one."""
    @property
    def is_running(self) -> bool:
        """Whether the server runs."""
    def stop(self) -> None:
        """Stops the server after the requests in progress."""

def run_command(arguments: list[str]) -> int: ...
def render(source: Source, keywords: Mapping[str, Any]) -> Image: ...
def classic(
    points: list[tuple[float, float]],
    dot_size: float,
    opacity: int,
    size: tuple[int, int],
    scheme: str,
    area: tuple[float, float, float, float] | None,
) -> bytearray: ...
def serve(
    inputs: list[str], settings: list[tuple[str, str]], config_file: str | None, keywords: Mapping[str, Any]
) -> Server: ...
def bins(
    source: Source,
    size: tuple[int, int],
    x_range: tuple[float, float] | None,
    y_range: tuple[float, float] | None,
    is_weighted: bool,
) -> dict[str, Any]: ...
def render_mask(values: bytes, size: tuple[int, int], options: list[tuple[str, str]]) -> dict[str, Any]: ...
def count_labels(
    files: list[str], class_name: str | None, width: int | None, height: int | None
) -> dict[str, Any]: ...
def css_color(color: str) -> tuple[int, int, int]: ...
def background_png(image: bytes, name: str) -> tuple[bytes, int, int]: ...
def rgb_png(pixels: bytes, size: tuple[int, int]) -> bytes: ...
def keywords() -> list[tuple[str, str]]:
    """The keywords of `render` and `Layer`: name and description."""

def schemes() -> list[str]:
    """The names of the color schemes: the built-in ones, and those of files in `./schemes` and `KILN_SCHEMES`."""
