"""Colors of aggregates with the interface of datashader's transfer functions."""

from __future__ import annotations

import io
from typing import Any

from ._canvas import Aggregate
from ._colors import rgb

__all__ = ["Image", "set_background", "shade", "spread"]

_CBRT = 1 / 3
#: The values of a histogram that is equalized.
_BINS = 1 << 16


class Image:
    """A picture: red, green, blue and alpha per pixel, row by row from the lowest y."""

    def __init__(self, data: Any) -> None:
        self.data = data

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.data.shape[:2]

    def to_pil(self, origin: str = "lower") -> Any:
        """The picture as an image of Pillow. `origin` is that of the rows: `lower` for the lowest y first."""
        import numpy as np

        try:
            from PIL import Image as pillow
        except ImportError:
            raise ImportError("pictures of kiln.datashader need Pillow: pip install 'kiln[pillow]'") from None
        rows = self.data[::-1] if origin == "lower" else self.data
        return pillow.fromarray(np.ascontiguousarray(rows))

    def to_bytesio(self, format: str = "png", origin: str = "lower") -> io.BytesIO:
        """The picture as a file in memory."""
        file = io.BytesIO()
        self.to_pil(origin).save(file, format)
        file.seek(0)
        return file

    def _repr_png_(self) -> bytes:
        return self.to_bytesio().getvalue()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.data if dtype is None else self.data.astype(dtype)


def shade(
    agg: Aggregate,
    cmap: Any = ("lightblue", "darkblue"),
    how: str = "eq_hist",
    alpha: int = 255,
    min_alpha: int = 40,
    span: tuple[float, float] | None = None,
    name: str | None = None,
) -> Image:
    """Colors of the values of an aggregate.

    `cmap` is a list of colors from the least to the greatest value, a colormap of matplotlib, or one color, whose opacity
    rises from `min_alpha` to `alpha`. `how` is eq_hist, cbrt, log or linear, and `span` the values of both ends.
    """
    import numpy as np

    data = np.asarray(agg)
    if data.ndim != 2:
        raise ValueError(f"agg: an array of {data.ndim} dimensions; expected two")
    if not 0 <= min_alpha <= 255 or not 0 <= alpha <= 255:
        raise ValueError(f"min_alpha ({min_alpha}) and alpha ({alpha}) are from 0 to 255")
    if how not in ("eq_hist", "cbrt", "log", "linear"):
        raise ValueError(f"how: {how!r} is none of eq_hist, cbrt, log and linear")
    if span is not None and how == "eq_hist":
        raise ValueError("span is not (yet) valid to use with how='eq_hist'")
    is_empty = (data == 0) if data.dtype.kind in "bu" else np.isnan(data)
    pixels = np.zeros((*data.shape, 4), np.uint8)
    if is_empty.all():
        return Image(pixels)
    values = data.astype("f8")
    low = values[~is_empty].min() if span is None else float(span[0])
    values, ends = _scaled(values, is_empty, low, how, data.dtype.kind in "biu", span)
    color = _color(cmap, min_alpha, alpha)
    # NaN at empty pixels, whose color has no effect.
    shares = np.clip((np.where(is_empty, ends[0], values) - ends[0]) / ((ends[1] - ends[0]) or 1.0), 0, 1)
    pixels[...] = color(shares)
    pixels[is_empty] = 0
    return Image(pixels)


def _scaled(
    values: Any, is_empty: Any, low: float, how: str, is_whole: bool, span: tuple[float, float] | None
) -> tuple[Any, tuple[float, float]]:
    """Values on the scale of `how`, and both ends."""
    import numpy as np

    filled = values[~is_empty]
    if how == "eq_hist":
        ranks = _equalized(values, filled, is_whole)
        return ranks, (ranks[~is_empty].min(), ranks[~is_empty].max())
    scale: Any = {"cbrt": lambda value: value**_CBRT, "log": np.log1p, "linear": lambda value: value}[how]
    offset = np.where(is_empty, 0, values - low)
    # Values below the span are those of its start.
    scaled = scale(np.maximum(offset, 0))
    high = filled.max() - low if span is None else float(span[1]) - low
    return scaled, (scale(0.0), scale(max(high, 0.0)))


def _equalized(values: Any, filled: Any, is_whole: bool) -> Any:
    """The share of pixels with at most each value."""
    import numpy as np

    if is_whole and np.ptp(filled) < _BINS:
        centers, counts = np.unique(filled, return_counts=True)
        # Values between are interpolated, as in a histogram with a bin for each.
        every = np.arange(centers[0], centers[-1] + 1)
        counts = np.bincount((filled - centers[0]).astype("i8"), minlength=len(every))
        centers = every
    else:
        counts, edges = np.histogram(filled, bins=_BINS)
        centers = edges[:-1] + np.diff(edges) / 2
        centers, counts = centers[counts > 0], counts[counts > 0]
    shares = np.cumsum(counts) / counts.sum()
    return np.interp(values, centers, shares)


def _color(cmap: Any, min_alpha: int, alpha: int) -> Any:
    """The function from shares, 0 to 1, to pixels."""
    import numpy as np

    if isinstance(cmap, str):
        red, green, blue = rgb(cmap)

        def of_one(shares: Any) -> Any:
            opacity = (min_alpha + shares * (alpha - min_alpha)).astype(np.uint8)
            return np.stack([np.full_like(opacity, red), np.full_like(opacity, green), np.full_like(opacity, blue), opacity], -1)

        return of_one
    if callable(cmap):

        def of_map(shares: Any) -> Any:
            pixels = np.array(cmap(shares, bytes=True))
            pixels[..., 3] = alpha
            return pixels

        return of_map
    colors = np.array([rgb(color) for color in cmap], "f8")
    if not len(colors):
        raise ValueError("cmap: there are no colors")
    places = np.linspace(0, 1, len(colors))

    def of_list(shares: Any) -> Any:
        channels = [np.interp(shares, places, colors[:, channel]).astype(np.uint8) for channel in range(3)]
        return np.stack([*channels, np.full(shares.shape, alpha, np.uint8)], -1)

    return of_list


def spread(img: Aggregate | Image, px: int = 1, shape: str = "circle", how: str | None = None, name: str | None = None) -> Any:
    """Makes each pixel a dot with a radius of `px` pixels, a `circle` or a `square`. Dots of an aggregate add up, or with `how`
    are the `max`; those of an image are drawn over each other."""
    import numpy as np

    if px < 0:
        raise ValueError(f"px: {px} is negative")
    if shape not in ("circle", "square"):
        raise ValueError(f"shape: {shape!r} is neither circle nor square")
    offsets = range(-px, px + 1)
    inside = [(dy, dx) for dy in offsets for dx in offsets if shape == "square" or dy * dy + dx * dx <= (px + 0.5) ** 2]
    data = np.asarray(img)
    # Dots are drawn in the order of their pixels: that of the last pixel is above the others.
    moved = (_moved(data, dy, dx) for dy, dx in reversed(inside))
    if isinstance(img, Image):
        below = np.zeros_like(data)
        for layer in moved:
            below = _over(layer, below)
        return Image(below)
    if how not in (None, "add", "max"):
        raise ValueError(f"how: {how!r} is neither add nor max")
    combine = np.fmax if how == "max" else _add
    result = next(moved)
    for layer in moved:
        result = combine(result, layer)
    return img.copy(result)


def _moved(data: Any, dy: int, dx: int) -> Any:
    """The pixels moved by rows and columns, with empty pixels where there are none."""
    import numpy as np

    moved = np.full_like(data, np.nan if data.dtype.kind == "f" else 0)
    height, width = data.shape[:2]
    rows, columns = (slice(max(step, 0), size + min(step, 0)) for step, size in ((dy, height), (dx, width)))
    from_rows, from_columns = (slice(max(-step, 0), size + min(-step, 0)) for step, size in ((dy, height), (dx, width)))
    if abs(dy) < height and abs(dx) < width:
        moved[rows, columns] = data[from_rows, from_columns]
    return moved


def _add(one: Any, other: Any) -> Any:
    import numpy as np

    if one.dtype.kind != "f":
        return one + other
    return np.where(np.isnan(one), other, np.where(np.isnan(other), one, one + other))


def _over(above: Any, below: Any) -> Any:
    """Pixels drawn over others."""
    import numpy as np

    one, other = above[..., 3:] / 255, below[..., 3:] / 255
    alpha = one + other * (1 - one)
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = (above[..., :3] * one + below[..., :3] * other * (1 - one)) / alpha
    return np.concatenate([np.nan_to_num(mixed), alpha * 255], -1).round().astype(np.uint8)


def set_background(img: Image, color: Any = None, name: str | None = None) -> Image:
    """Draws a picture over a color."""
    import numpy as np

    if color is None:
        return img
    below = np.empty_like(img.data)
    below[...] = (*rgb(color), 255)
    return Image(_over(img.data, below))
