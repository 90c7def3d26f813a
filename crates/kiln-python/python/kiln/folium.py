"""The heat map of folium, drawn by Kiln: one picture in the page, whatever the number of points.

    from kiln.folium import HeatMap

    HeatMap(data, radius=15).add_to(folium.Map([59.3, 18.1], zoom_start=6))

The parameters are those of `folium.plugins.HeatMap`.
"""

from __future__ import annotations

from typing import Any

try:
    from folium.raster_layers import ImageOverlay
except ImportError:
    raise ImportError("kiln.folium needs folium: pip install folium") from None

from ._leaflet_heat import picture

__all__ = ["HeatMap"]


class HeatMap(ImageOverlay):
    """A heat map of `data`: rows of latitude, longitude and optionally weight.

    The picture has `size` pixels on its longer side, and `radius` and `blur` are in pixels of it: dots grow with the zoom of
    the map, as the ground does. Values above 3 % of the hottest color have an opacity of at least `min_opacity`, and `max_zoom`
    has no effect. The hottest color is the 99th percentile of the picture, or with
    `max`, a lone point of this weight. The other keywords are those of `kiln.render`, such as `scheme`, or a radius in km.
    """

    def __init__(
        self,
        data: Any,
        name: str | None = None,
        min_opacity: float = 0.5,
        max_zoom: int = 18,
        radius: float = 25,
        blur: float = 15,
        gradient: dict[Any, str] | None = None,
        overlay: bool = True,
        control: bool = True,
        show: bool = True,
        *,
        size: int = 2048,
        max: float | None = None,
        **keywords: Any,
    ) -> None:
        url, corners = picture(
            data,
            min_opacity=min_opacity,
            radius=radius,
            blur=blur,
            maximum=max,
            gradient=gradient,
            size=size,
            stacklevel=2,
            **keywords,
        )
        bounds = [list(corner) for corner in corners]
        super().__init__(url, bounds, name=name, overlay=overlay, control=control, show=show, interactive=False)
        self._name = "HeatMap"
