"""The heat map of ipyleaflet, drawn by Kiln: one picture, whatever the number of points.

    from kiln.ipyleaflet import Heatmap

    map.add(Heatmap(locations=locations, radius=20))

The traits are those of `ipyleaflet.Heatmap`. A change of one draws the picture again.
"""

from __future__ import annotations

from typing import Any

try:
    import ipyleaflet
    import traitlets
except ImportError:
    raise ImportError("kiln.ipyleaflet needs ipyleaflet: pip install ipyleaflet") from None

from ._leaflet_heat import GRADIENT, picture

__all__ = ["Heatmap"]


class Heatmap(ipyleaflet.ImageOverlay):
    """A heat map of `locations`: rows of latitude, longitude and optionally weight.

    The picture has `size` pixels on its longer side, and `radius` and `blur` are in pixels of it: dots grow with the zoom of
    the map, as the ground does. Values above 3 % of the hottest color have an opacity of at least `min_opacity`, and `max_zoom`
    has no effect. The hottest color is the 99th percentile of the picture; with a
    `max` other than 1, a lone point of this weight. `options` are keywords of `kiln.render`, such as `{"scheme": "fire"}`.
    """

    locations = traitlets.Any([], help="Rows of latitude, longitude and optionally weight.")
    min_opacity = traitlets.Float(0.05)
    max_zoom = traitlets.Int(18)
    max = traitlets.Float(1.0)
    radius = traitlets.Float(25.0)
    blur = traitlets.Float(15.0)
    gradient = traitlets.Dict(GRADIENT)
    size = traitlets.Int(2048)
    options = traitlets.Dict({})

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._draw()
        self.observe(self._draw, ["locations", "min_opacity", "max", "radius", "blur", "gradient", "size", "options"])

    def _draw(self, _: Any = None) -> None:
        if len(self.locations) == 0:
            self.url = ""
            return
        url, corners = picture(
            self.locations,
            min_opacity=self.min_opacity,
            radius=self.radius,
            blur=self.blur,
            maximum=self.max,
            gradient=self.gradient,
            size=self.size,
            stacklevel=2,
            **self.options,
        )
        with self.hold_sync():
            self.bounds = corners
            self.url = url
