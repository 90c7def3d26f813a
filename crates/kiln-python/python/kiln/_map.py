"""Maps in notebooks, drawn by the kernel: no port, so they work on a remote server too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._layer import Layer
from ._points import ROLES

try:
    import anywidget
    import traitlets
except ImportError:
    raise ImportError("maps in notebooks need anywidget: pip install 'kiln[notebook]'") from None

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._typing import Style

_STATIC = Path(__file__).parent / "static"
#: Keywords of a picture that a map does not have.
_VIEW = ("bounds", "size", "fit", "projection")
#: Keywords that are read with the points; the others are a style.
_READ = {"crs", "order", "time_format", "day_first", "encoding", "quote", "records", "geometry", "track", "threads"}


class Map(anywidget.AnyWidget):
    """A map with a layer of heat, which Jupyter shows. Clicks show values, and `style()` changes the picture."""

    _esm = _STATIC / "heat.js"

    center = traitlets.List(traitlets.Float(), [0.0, 0.0], help="Latitude and longitude of the center.").tag(sync=True)
    zoom = traitlets.Int(0, help="The zoom.").tag(sync=True)
    min_zoom = traitlets.Int(0).tag(sync=True)
    max_zoom = traitlets.Int(24).tag(sync=True)
    height = traitlets.Unicode("500px", help="The height, in units of CSS.").tag(sync=True)
    opacity = traitlets.Float(1.0, min=0.0, max=1.0, help="The opacity of the heat.").tag(sync=True)
    basemap = traitlets.Unicode("", help="The URL template of tiles below; empty: outlines of land.").tag(sync=True)
    attribution = traitlets.Unicode("").tag(sync=True)
    is_plane = traitlets.Bool(False).tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    legend = traitlets.Bytes(b"").tag(sync=True)
    unit = traitlets.Unicode("").tag(sync=True)

    def __init__(self, layer: Layer, *, style: dict[str, Any] | None = None, **traits: Any) -> None:
        lon, lat, zoom = layer.center
        is_plane = layer._layer.is_plane
        zooms = {"min_zoom": -20, "max_zoom": 24} if is_plane else {}
        traits = {"center": [lat, lon], "zoom": zoom, "is_plane": is_plane, **zooms, **traits}
        self.layer = layer
        self._style = dict(style or {})
        self._legend_zoom: int | None = None
        self._check(self._style)
        super().__init__(**traits)
        self.on_msg(self._receive)
        self._draw_legend()

    def style(self, **style: Unpack[Style]) -> Map:
        """Changes the style of the map, such as `radius`, `scheme` or a filter; `None` is the default. Returns the map."""
        changed = {**self._style, **style}
        self._check(changed)
        self._style = changed
        self._legend_zoom = None
        self._draw_legend()
        self.version += 1
        return self

    def _check(self, style: dict[str, Any]) -> None:
        """Rejects an invalid style here, rather than on the map."""
        lon, lat, zoom = self.layer.center
        given = [name for name in _VIEW if style.get(name) is not None]
        if given:
            raise TypeError(f"{given[0]}: a map has its own view; set center and zoom")
        self.layer._layer.value(lon, lat, zoom, style)

    @traitlets.observe("zoom")
    def _zoomed(self, _: Any) -> None:
        if hasattr(self, "_legend_zoom"):
            self._draw_legend()

    def _draw_legend(self) -> None:
        if self._legend_zoom != self.zoom:
            self._legend_zoom = self.zoom
            self.legend = self.layer.legend(self.zoom, pixel_ratio=2, **self._style).png()

    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        """Replies to a request of the page."""
        if not isinstance(content, dict) or "id" not in content:
            return
        try:
            reply, pictures = self._reply(content)
        except Exception as error:
            # The page shows it: an exception here would only be in the log of the kernel.
            reply, pictures = {"error": str(error)}, []
        self.send({"id": content["id"], **reply}, pictures)

    def _reply(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if content["kind"] == "tile":
            z, x, y, ratio = (int(content[key]) for key in ("z", "x", "y", "ratio"))
            side = 1 << max(z, 0)
            if not self.is_plane and not 0 <= y < side:
                # Beyond the poles of the map.
                return {}, []
            tile = self.layer.tile(z, x if self.is_plane else x % side, y, pixel_ratio=ratio, **self._style)
            return {}, [tile.png()] if tile.report["drawn"] else []
        found = self.layer.value(float(content["lon"]), float(content["lat"]), int(content["z"]), **self._style)
        value = found["value"]
        text = "no value" if value is None else f"{value:.4g} {found['unit']}"
        return {"text": text}, []


def heat(*points: Any, height: int | str = 500, basemap: str | None = None, attribution: str = "", **keywords: Any) -> Map:
    """Shows points on a map in a notebook.

    `points` and the keywords are those of `render`; `points` can be a `Layer` as well. `height` is in pixels, or a length of
    CSS. `basemap` is the URL template of tiles below the heat, such as `https://tile.example/{z}/{x}/{y}.png`, and
    `attribution` its credit; without one, outlines of land are drawn.
    """
    if len(points) == 1 and isinstance(points[0], Layer):
        layer, style = points[0], keywords
    else:
        read = {name: keywords.pop(name) for name in (*ROLES, *_READ, "name") if name in keywords}
        # A filter is a style too: it selects from the points in memory, and can be changed.
        layer, style = Layer(*points, **read), keywords
    height = f"{height}px" if isinstance(height, int) else height
    return Map(layer, style=style, height=height, basemap=basemap or "", attribution=attribution)
