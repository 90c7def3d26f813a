"""Kiln turns weighted points into heat maps: pictures, GeoTIFFs, tiles, and maps in notebooks.

    import kiln
    kiln.render("points.csv", radius="10km").save("heat.png")

`render` returns a picture, `Layer` is a set of points for many pictures and tiles. The keywords of both are the parameters of
the command line and the server: `keywords()` lists them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ._kiln import Image, Png, __version__, keywords, schemes
from ._layer import Layer
from ._points import KilnWarning
from ._render import render

if TYPE_CHECKING:
    from types import ModuleType

    from ._map import Map as Map
    from ._map import heat as heat
    from ._mask import Heatmap as Heatmap
    from ._server import Server, serve

# Without the names that need anywidget.
__all__ = [
    "Image",
    "KilnWarning",
    "Layer",
    "Png",
    "Server",
    "__version__",
    "keywords",
    "render",
    "schemes",
    "serve",
]

# Modules that are imported on first use, so that `import kiln` stays fast.
_MODULES = {"datashader", "folium", "heatmap", "ipyleaflet"}
# Names that are imported on first use, with their modules.
_LAZY = {"Heatmap": "_mask", "Map": "_map", "Server": "_server", "heat": "_map", "serve": "_server"}


def __getattr__(name: str) -> object | ModuleType:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _LAZY:
        value = getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, *_LAZY})
