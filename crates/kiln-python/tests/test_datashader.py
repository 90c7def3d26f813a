"""The interface of datashader."""

from __future__ import annotations

import io

import kiln.datashader as ds
import kiln.datashader.transfer_functions as tf
import numpy as np
import pandas as pd
import pytest
from kiln.datashader.utils import export_image, lnglat_to_meters
from PIL import Image

#: Eight points in a canvas of 4 x 2 pixels; the last ones are on the upper edges, and outside.
TABLE = {
    "x": [0.0, 0.5, 1.0, 3.99, 4.0, 2.0, 4.1, 1.5],
    "y": [0.0, 0.9, 1.0, 2.0, 1.99, 0.5, 1.0, -0.1],
    "fare": [1.0, 3.0, 5.0, -2.0, 4.0, 7.0, 9.0, 9.0],
}
CANVAS = ds.Canvas(plot_width=4, plot_height=2, x_range=(0, 4), y_range=(0, 2))
NAN = float("nan")


@pytest.mark.parametrize(
    ("agg", "expected"),
    [
        (None, [[2, 0, 1, 0], [0, 1, 0, 2]]),
        (ds.count(), [[2, 0, 1, 0], [0, 1, 0, 2]]),
        (ds.any(), [[True, False, True, False], [False, True, False, True]]),
        (ds.sum("fare"), [[4, NAN, 7, NAN], [NAN, 5, NAN, 2]]),
        (ds.mean("fare"), [[2, NAN, 7, NAN], [NAN, 5, NAN, 1]]),
        (ds.min("fare"), [[1, NAN, 7, NAN], [NAN, 5, NAN, -2]]),
        (ds.max("fare"), [[3, NAN, 7, NAN], [NAN, 5, NAN, 4]]),
    ],
)
def test_points_are_aggregated_in_pixels_from_the_lowest_y(agg, expected):
    for table in (TABLE, pd.DataFrame(TABLE)):
        found = CANVAS.points(table, "x", "y", agg)
        assert np.array_equal(found.values, np.array(expected), equal_nan=found.dtype.kind == "f")
        assert (found.shape, found.x_range, found.y_range) == ((2, 4), (0, 4), (0, 2))


def test_without_ranges_a_canvas_is_that_of_the_points():
    found = ds.Canvas(4, 4).points(TABLE, "x", "y")
    assert (found.x_range, found.y_range, int(found.sum())) == ((0, 4.1), (-0.1, 2.0), 8)


def test_many_points_are_counted_as_by_numpy(towns):
    lon, lat, weight = towns
    x, y = lnglat_to_meters(lon, lat)
    canvas = ds.Canvas(300, 200, x_range=(x.min(), x.max()), y_range=(y.min(), y.max()))
    table = {"x": x, "y": y, "fare": weight}
    for agg, weights in ((ds.count(), None), (ds.sum("fare"), weight.astype("f8"))):
        ranges = [canvas.y_range, canvas.x_range]
        expected, *_ = np.histogram2d(y, x, bins=(200, 300), range=ranges, weights=weights)
        assert np.allclose(np.nan_to_num(canvas.points(table, "x", "y", agg).values), expected)


def test_colors_follow_the_values():
    agg = ds.Aggregate(np.array([[0, 1, 2], [3, 4, 5]], "u4"), (0, 3), (0, 2))
    for how in ("linear", "log", "cbrt", "eq_hist"):
        pixels = np.asarray(tf.shade(agg, cmap=["black", "white"], how=how))
        assert pixels[0, 0, 3] == 0 and (pixels[..., 3] > 0).sum() == 5
        grays = pixels[..., 0].ravel()[1:]
        assert (grays[0], grays[-1]) == (0, 255) and (np.diff(grays.astype(int)) > 0).all(), how
    linear = np.asarray(tf.shade(agg, cmap=["black", "white"], how="linear", span=(1, 9)))
    assert linear[1, 2, 0] == 127
    one = np.asarray(tf.shade(agg, cmap="red", how="linear", min_alpha=55))
    assert tuple(one[0, 1]) == (255, 0, 0, 55) and tuple(one[1, 2]) == (255, 0, 0, 255)
    nothing = tf.shade(ds.Aggregate(np.zeros((2, 3), "u4"), (0, 3), (0, 2)))
    assert not np.asarray(nothing).any()


def test_dots_are_spread():
    values = np.zeros((5, 5), "u4")
    values[2, 2] = values[2, 3] = 1
    agg = ds.Aggregate(values, (0, 5), (0, 5))
    assert tf.spread(agg, px=1, shape="square").values.sum() == 18
    assert tf.spread(agg, px=1, how="max").values.max() == 1
    picture = tf.spread(tf.shade(agg, cmap=["red"]), px=1)
    assert (np.asarray(picture)[..., 3] > 0).sum() == 12
    # Where dots overlap, the last one is above.
    values[2, 3] = 2
    pixels = np.asarray(tf.spread(tf.shade(agg, cmap=["red", "blue"], how="linear"), px=1))
    assert [tuple(pixels[2, column]) for column in (1, 2, 3)] == [(255, 0, 0, 255), (0, 0, 255, 255), (0, 0, 255, 255)]


def test_a_picture_has_the_lowest_y_at_the_bottom(tmp_path):
    agg = ds.Aggregate(np.array([[1, 0], [0, 0]], "u4"), (0, 2), (0, 2))
    picture = tf.set_background(tf.shade(agg, cmap=["red"]), "white")
    pixels = np.asarray(picture.to_pil())
    assert [tuple(pixels[1, 0]), tuple(pixels[0, 0])] == [(255, 0, 0, 255), (255, 255, 255, 255)]
    export_image(tf.shade(agg, cmap=["red"]), "heat", export_path=str(tmp_path), background="black")
    with Image.open(tmp_path / "heat.png") as written:
        assert written.size == (2, 2)
    with Image.open(io.BytesIO(picture._repr_png_())) as written:
        assert np.array_equal(np.asarray(written), pixels)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ds.Canvas(x_range=(2, 1)), ValueError, "^x_range: 2.0 is not below 1.0"),
        (lambda: ds.Canvas(x_axis_type="log"), ValueError, "^x_axis_type: 'log' is not supported"),
        (lambda: ds.Canvas(0, 5).points(TABLE, "x", "y"), ValueError, "^size: 0 x 5 cells"),
        (lambda: CANVAS.points(TABLE, "x", "z"), ValueError, 'no column "z"'),
        (lambda: CANVAS.points(TABLE, "x", "y", ds.sum), TypeError, "is not a reduction"),
        (lambda: tf.shade(np.ones((2, 2)), how="cubic"), ValueError, "^how: 'cubic' is none of"),
        (lambda: tf.shade(np.ones((2, 2)), span=(0, 1)), ValueError, "^span is not"),
        (lambda: tf.shade(np.ones((2, 2)), cmap=["ruby"], how="linear"), ValueError, "ruby"),
    ],
)
def test_an_invalid_argument_is_an_error_that_names_it(call, error, message):
    with pytest.raises(error, match=message):
        call()
