"""Arrays over pictures in notebooks, with the interface of Supervisely's widget Heatmap."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from . import _kiln
from ._points import warn

try:
    import anywidget
    import traitlets
except ImportError:
    raise ImportError("kiln.Heatmap needs anywidget: pip install 'kiln[notebook]'") from None

_STATIC = Path(__file__).parent / "static"
#: OpenCV's jet.
_JET = 2


class Heatmap(anywidget.AnyWidget):
    """An array of values as colors over a picture, with a legend, an opacity, and the value under a click.

    The parameters are those of the widget of Supervisely: `background_image` is the path of an image, or an array of RGB or
    RGBA; `heatmap_mask` is an array of values, whose channels are averaged. Values from `vmin` to `vmax`, by default those of
    the mask, have the colors of `colormap`: an OpenCV colormap by number or name, or a scheme of Kiln. NaN is transparent, and
    with `transparent_low` so are the least values. `width` and `height` are in pixels. The values are blurred by a Gaussian
    of `blur_ksize` cells, or by `blur_function`, from an array of uint8 to one of the same shape.
    """

    _esm = _STATIC / "mask.js"

    opacity = traitlets.Int(70, help="The opacity of the colors in percent.").tag(sync=True)
    background = traitlets.Bytes(b"").tag(sync=True)
    heat = traitlets.Bytes(b"").tag(sync=True)
    legend = traitlets.Bytes(b"").tag(sync=True)
    size = traitlets.List(traitlets.Int(), [0, 0]).tag(sync=True)
    clicked = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        background_image: Any = None,
        heatmap_mask: Any = None,
        vmin: float | None = None,
        vmax: float | None = None,
        transparent_low: bool = False,
        colormap: int | str = _JET,
        width: int | None = None,
        height: int | None = None,
        blur_ksize: Sequence[int] | int | None = (5, 5),
        blur_function: Callable[[Any], Any] | None = None,
        widget_id: str | None = None,
    ) -> None:
        """`widget_id` has no effect."""
        super().__init__()
        self._mask: Any = None
        self._picture_size = (0, 0)
        self._callbacks: list[Callable[[int, int, float | None], Any]] = []
        self._click: tuple[int | None, int | None, float | None] = (None, None, None)
        self._options: dict[str, Any] = {
            "vmin": vmin,
            "vmax": vmax,
            "transparent_low": bool(transparent_low),
            "colormap": colormap,
            "blur_ksize": blur_ksize,
        }
        self._blur_function, self._width, self._height = blur_function, width, height
        if background_image is not None:
            self.set_background(background_image)
        if heatmap_mask is not None:
            self.set_heatmap(heatmap_mask)
        self.on_msg(self._receive)

    def set_background(self, background_image: Any) -> None:
        """Sets the picture below: the path of a PNG, JPEG, WebP or TIFF image, or an array of RGB, RGBA or gray from 0 to 255."""
        if isinstance(background_image, (str, os.PathLike)):
            path = os.fspath(background_image)
            with open(path, "rb") as file:
                png, width, height = _kiln.background_png(file.read(), path)
        else:
            png, width, height = _of_pixels(background_image)
        self.background, self._picture_size = png, (width, height)
        self._resize()

    def set_heatmap(self, mask: Any) -> None:
        """Sets the values: an array of rows and columns, or of rows, columns and channels, which are averaged."""
        import numpy as np

        values = np.ma.filled(np.ma.asarray(mask).astype("f8"), np.nan)
        if values.ndim == 3:
            values = values.mean(axis=-1)
        if values.ndim != 2 or not values.size:
            shape = " x ".join(map(str, np.shape(mask)))
            raise ValueError(f"mask: an array of {shape}; expected rows and columns, or rows, columns and channels")
        self._draw(values, self._options)
        self._mask = values
        self._click, self.clicked = (None, None, None), ""
        self._resize()

    def set_heatmap_from_annotations(self, anns: Iterable[Any], object_name: str | None = None) -> None:
        """Sets the number of labels over each pixel: of annotations of Supervisely, or their JSON as dicts, texts or paths of
        files. `object_name` selects the labels of a class."""
        import numpy as np

        texts = [_text_of(annotation) for annotation in anns]
        if not texts:
            raise ValueError("Annotations list should have at least one element")
        found = _kiln.count_labels(texts, object_name, self._width, self._height)
        warn(found["remarks"], stacklevel=2)
        self.set_heatmap(np.frombuffer(found["values"], "f8").reshape(found["height"], found["width"]))

    @property
    def colormap(self) -> int | str:
        """The colors: an OpenCV colormap by number or name, or a scheme of Kiln."""
        return self._options["colormap"]

    @colormap.setter
    def colormap(self, value: int | str) -> None:
        self._set("colormap", value)

    @property
    def vmin(self) -> float | None:
        """The value of the lowest color; None: the least value."""
        return self._options["vmin"]

    @vmin.setter
    def vmin(self, value: float | None) -> None:
        self._set("vmin", value)

    @property
    def vmax(self) -> float | None:
        """The value of the highest color; None: the greatest value."""
        return self._options["vmax"]

    @vmax.setter
    def vmax(self, value: float | None) -> None:
        self._set("vmax", value)

    @property
    def width(self) -> int | None:
        """The width in pixels; None: by the height, else that of the picture below, else the columns of the mask."""
        return self._width

    @width.setter
    def width(self, value: int | None) -> None:
        self._width = value
        self._resize()

    @property
    def height(self) -> int | None:
        """The height in pixels; None: as for the width."""
        return self._height

    @height.setter
    def height(self, value: int | None) -> None:
        self._height = value
        self._resize()

    @property
    def click_x(self) -> int | None:
        """The column of the cell of the mask that was clicked; None before the first click."""
        return self._click[1]

    @property
    def click_y(self) -> int | None:
        """The row of the cell of the mask that was clicked; None before the first click."""
        return self._click[0]

    @property
    def click_value(self) -> float | None:
        """The value of the cell that was clicked; None if it has none."""
        return self._click[2]

    def click(self, func: Callable[[int, int, float | None], Any]) -> Callable[[int, int, float | None], Any]:
        """Calls `func` with row, column and value of each cell that is clicked. A decorator."""
        self._callbacks = [func]
        return func

    @traitlets.validate("opacity")
    def _clamp(self, proposal: Any) -> int:
        return min(100, max(0, proposal["value"]))

    def _set(self, name: str, value: Any) -> None:
        options = {**self._options, name: value}
        if self._mask is not None:
            # An invalid value leaves the picture and the options as they are.
            self._draw(self._mask, options)
        self._options = options

    def _draw(self, values: Any, options: dict[str, Any]) -> None:
        import numpy as np

        vmin, vmax = options["vmin"], options["vmax"]
        if self._blur_function is not None:
            finite = values[np.isfinite(values)]
            low = vmin if vmin is not None else float(finite.min(initial=np.inf)) if finite.size else 0.0
            high = vmax if vmax is not None else float(finite.max(initial=-np.inf)) if finite.size else 1.0
            levels = _levels(values, low, high)
            blurred = np.asarray(self._blur_function(levels.copy()), "f8")
            if blurred.shape != levels.shape:
                raise ValueError(f"blur_function: it returned an array of {blurred.shape}; expected {levels.shape}")
            hidden = np.isnan(values) | ((levels == 0) if options["transparent_low"] else False)
            values = np.where(hidden, np.nan, low + blurred / 255 * (high - low))
            options = {**options, "vmin": low, "vmax": high, "transparent_low": False, "blur_ksize": None}
        pairs = [(name, _option(name, value)) for name, value in options.items() if value is not None or name == "blur_ksize"]
        # The page applies the opacity.
        found = _kiln.render_mask(np.ascontiguousarray(values).tobytes(), values.shape[::-1], [*pairs, ("opacity", "100")])
        self.heat, self.legend = found["png"], found["legend"]

    def _resize(self) -> None:
        rows, columns = self._mask.shape if self._mask is not None else (0, 0)
        width, height = self._picture_size if self.background else (columns, rows)
        if self._width and self._height:
            width, height = self._width, self._height
        elif self._width and width:
            width, height = self._width, round(self._width * height / width)
        elif self._height and height:
            width, height = round(self._height * width / height), self._height
        self.size = [int(width), int(height)]

    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict) or content.get("kind") != "click" or self._mask is None:
            return
        rows, columns = self._mask.shape
        row, column = int(content["y"] * rows), int(content["x"] * columns)
        if not (0 <= row < rows and 0 <= column < columns):
            return
        value = float(self._mask[row, column])
        found = None if value != value else value
        self._click = (row, column, found)
        self.clicked = f"x {column}, y {row}: {'no value' if found is None else f'{found:.6g}'}"
        for callback in self._callbacks:
            callback(row, column, found)


def _levels(values: Any, low: float, high: float) -> Any:
    """Values from `low` to `high` as numbers from 0 to 255."""
    import numpy as np

    if high == low:
        return np.full(values.shape, 128, np.uint8)
    return np.clip((np.nan_to_num(values, nan=low) - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def _option(name: str, value: Any) -> str:
    if name == "blur_ksize":
        if value is None:
            return "none"
        return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_pixels(image: Any) -> tuple[bytes, int, int]:
    """The PNG of an array of pixels, and its width and height."""
    import numpy as np

    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, -1)
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        shape = " x ".join(map(str, np.shape(image)))
        raise ValueError(f"background_image: an array of {shape}; expected rows, columns, and 3 or 4 channels")
    if pixels.dtype.kind == "f" and pixels.max(initial=0) <= 1:
        pixels = pixels * 255
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    if pixels.shape[2] == 1:
        pixels = pixels.repeat(3, axis=2)
    if pixels.shape[2] == 4:
        # Composited onto white, as files are.
        alpha = pixels[..., 3:].astype(np.uint32)
        pixels = ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    height, width = pixels.shape[:2]
    return _kiln.rgb_png(np.ascontiguousarray(pixels).tobytes(), (width, height)), width, height


def _text_of(annotation: Any) -> str:
    """The JSON of an annotation."""
    if hasattr(annotation, "to_json"):
        annotation = annotation.to_json()
    if isinstance(annotation, os.PathLike) or (isinstance(annotation, str) and not annotation.lstrip().startswith(("{", "["))):
        return Path(annotation).read_text(encoding="utf-8")
    return annotation if isinstance(annotation, str) else json.dumps(annotation)
