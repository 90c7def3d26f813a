"""Pictures with the parameters of Leaflet.heat."""

from __future__ import annotations

import base64
from typing import Any

from ._points import numbers, source, warn
from . import _kiln

#: The gradient of Leaflet.heat.
GRADIENT = {0.4: "blue", 0.6: "cyan", 0.7: "lime", 0.8: "yellow", 1.0: "red"}
_MAX = 1.0
#: The share of the colors over which a picture fades in to the least opacity.
_FAINT = 0.03


def picture(
    locations: Any,
    *,
    min_opacity: float,
    radius: float,
    blur: float,
    maximum: float | None,
    gradient: dict[Any, str] | None,
    size: int,
    stacklevel: int,
    **keywords: Any,
) -> tuple[str, tuple[tuple[float, float], tuple[float, float]]]:
    """A data URL of the heat of locations, rows of latitude, longitude and optionally weight, and its corners."""
    lon, lat, weight = columns(locations)
    reach = float(radius) + float(blur)
    if not reach > 0:
        raise ValueError(f"radius: {radius} plus a blur of {blur} is not above 0")
    style = {"radius": reach, "gradient": stops(gradient or GRADIENT, min_opacity), "size": size, "units": "per_px"}
    if maximum is not None and maximum != _MAX and "vmax" not in keywords:
        style["vmax"] = float(maximum) * _peak(reach)
    arrays = {"lon": lon, "lat": lat, **({} if weight is None else {"weight": weight})}
    image = _kiln.render(source((), arrays, {}), {**style, **keywords})
    warn(image.losses, stacklevel=stacklevel + 1)
    return "data:image/png;base64," + base64.b64encode(image.png()).decode(), image.corners


def columns(locations: Any) -> tuple[Any, Any, Any]:
    """The columns of rows of latitude, longitude and optionally weight."""
    import numpy as np

    rows = np.asarray(locations.values if hasattr(locations, "columns") else locations)
    if rows.ndim != 2 or rows.shape[1] not in (2, 3):
        shape = " x ".join(map(str, rows.shape))
        raise ValueError(f"data: an array of {shape}; expected rows of latitude, longitude and optionally weight")
    lat, lon, *weight = (numbers(column, "data") for column in rows.T)
    if any(np.isnan(column).any() for column in (lat, lon, *weight)):
        raise ValueError("data may not contain NaNs.")
    return lon, lat, weight[0] if weight else None


def stops(gradient: dict[Any, str], min_opacity: float) -> str:
    """A gradient of Kiln from positions and colors, which fades in to `min_opacity` over the coldest values."""
    if not 0 <= min_opacity <= 1:
        raise ValueError(f"min_opacity: {min_opacity} is not a number from 0 to 1")
    positions = sorted((float(position), color) for position, color in gradient.items())
    if not positions or not 0 <= positions[0][0] <= positions[-1][0] <= 1:
        raise ValueError(f"gradient: {gradient!r} is not a dict of positions from 0 to 1 and colors")
    first, coldest = positions[0]
    # Leaflet.heat starts transparent, and ends at its last color.
    colors = [] if first == 0 else ["transparent"]
    if first > _FAINT and min_opacity * first > _FAINT:
        red, green, blue = _kiln.css_color(coldest)
        colors.append(f"#{red:02x}{green:02x}{blue:02x}{round(255 * min_opacity):02x} {100 * _FAINT:g}%")
    colors += [f"{color} {100 * position:g}%" for position, color in positions]
    if positions[-1][0] < 1:
        colors.append(positions[-1][1])
    return ",".join(colors)


def _peak(radius: float) -> float:
    """The value per pixel in the middle of a dot of weight 1."""
    view = {"bounds": (-0.001, -0.001, 0.001, 0.001), "size": 101, "units": "per_px", "radius": radius}
    return float(_kiln.render(source((), {"lon": [0.0], "lat": [0.0]}, {}), view).density().max())
