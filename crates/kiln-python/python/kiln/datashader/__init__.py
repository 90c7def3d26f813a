"""The part of datashader's interface that draws points: `Canvas.points`, reductions, `shade`, `spread` and `set_background`.

    import kiln.datashader as ds
    import kiln.datashader.transfer_functions as tf

    canvas = ds.Canvas(plot_width=800, plot_height=600)
    tf.shade(canvas.points(df, "x", "y", ds.mean("fare")), cmap=["lightblue", "darkblue"]).to_pil()

An aggregate is an array of NumPy with its ranges; `to_xarray()` makes it the one of datashader.
"""

from __future__ import annotations

from . import transfer_functions, utils
from ._canvas import Aggregate, Canvas, any, count, max, mean, min, sum

__all__ = [
    "Aggregate",
    "Canvas",
    "any",
    "count",
    "max",
    "mean",
    "min",
    "sum",
    "transfer_functions",
    "utils",
]
