"""Functions of datashader's module utils."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["export_image", "lnglat_to_meters"]

_EARTH_RADIUS_M = 6_378_137.0


def lnglat_to_meters(longitude: Any, latitude: Any) -> tuple[Any, Any]:
    """Web Mercator, in meters, of degrees."""
    import numpy as np

    if isinstance(longitude, (list, tuple)):
        longitude, latitude = np.asarray(longitude), np.asarray(latitude)
    x = np.radians(longitude) * _EARTH_RADIUS_M
    y = np.arctanh(np.sin(np.radians(latitude))) * _EARTH_RADIUS_M
    return x, y


def export_image(
    img: Any, filename: str, fmt: str = ".png", _return: bool = True, export_path: str = ".", background: str = ""
) -> Any:
    """Writes a picture to `export_path`/`filename` + `fmt`, over `background` if it is given, and returns it."""
    from .transfer_functions import set_background

    if not os.path.isdir(export_path):
        os.makedirs(export_path)
    if background:
        img = set_background(img, background)
    img.to_pil().save(os.path.join(export_path, filename + fmt))
    return img if _return else None
