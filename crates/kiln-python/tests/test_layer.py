"""Layers: pictures, tiles, values and legends."""

from __future__ import annotations

import kiln
import numpy as np
import pytest

STYLE = {"vmin": 0, "vmax": 1, "units": "per_px", "radius": 9}


def test_four_tiles_are_one_picture_of_their_bounds(towns):
    layer = kiln.Layer(*towns, name="towns")
    assert (layer.name, layer.points, layer.weight) == ("towns", 6000, "weight")
    x, y = 16, 9
    rows = [np.hstack([layer.tile(5, x + i, y + j, **STYLE).rgba() for i in (0, 1)]) for j in (0, 1)]
    corner, opposite = layer.tile(5, x, y).bounds, layer.tile(5, x + 1, y + 1).bounds
    bounds = (corner[0], opposite[1], opposite[2], corner[3])
    whole = layer.render(bounds=bounds, size=(512, 512), **STYLE).rgba()
    assert whole[..., 3].any() and np.array_equal(np.vstack(rows), whole)


def test_a_layer_draws_the_points_that_render_draws(towns):
    lon, lat, weight = towns
    days = np.datetime64("2024-01-01") + np.arange(len(lon)) % 10
    kinds = np.array(["bus", "tram"])[np.arange(len(lon)) % 2]
    columns = {"time": days, "category_column": kinds}
    view = {"bounds": (0, 40, 30, 65), "size": (300, 200)}
    layer = kiln.Layer(lon, lat, weight, **columns)
    for filters in [{}, {"end": "2024-01-04"}, {"category": "tram"}, {"weekdays": "mon-fri", "category": ["bus"]}]:
        expected = kiln.render(lon, lat, weight, **columns, **view, **filters).density()
        assert np.array_equal(layer.render(**view, **filters).density(), expected), filters
        selected = kiln.Layer(lon, lat, weight, **columns, **filters)
        assert np.array_equal(selected.render(**view).density(), expected), filters
        assert selected.points == int(expected.size and (kiln.render(lon, lat, **columns, **view, **filters).report["drawn"]))


def test_the_style_of_a_layer_is_the_default_of_its_pictures(towns):
    layer = kiln.Layer(*towns, scheme="fire", radius=7)
    assert layer.style == {"scheme": "fire", "radius": "7px"}
    plain = kiln.Layer(*towns)
    assert layer.tile(4, 8, 4).png() == plain.tile(4, 8, 4, scheme="fire", radius=7).png()
    assert layer.tile(4, 8, 4, scheme="viridis").png() != layer.tile(4, 8, 4).png()


def test_tiles_of_higher_density_have_more_pixels(towns):
    layer = kiln.Layer(*towns)
    assert [layer.tile(4, 8, 4, pixel_ratio=ratio).width for ratio in (1, 2)] == [256, 512]
    with pytest.raises(ValueError, match="^pixel_ratio: 5 is not"):
        layer.tile(4, 8, 4, pixel_ratio=5)


def test_a_value_is_that_of_its_pixel(towns):
    layer = kiln.Layer(*towns)
    tile = layer.tile(5, 17, 10)
    row, column = np.unravel_index(np.argmax(tile.density()), (256, 256))
    world = (np.array([17, 10]) + (np.array([column, row]) + 0.5) / 256) / 2**5
    lon, lat = world[0] * 360 - 180, np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * world[1]))))
    found = layer.value(lon, lat, 5)
    assert found["value"] == pytest.approx(float(tile.density().max()))
    assert (found["unit"], found["rank"] > 0.5) == ("weight per km²", True)
    assert layer.value(lon + 360, lat, 5) == found


def test_a_layer_has_a_center_and_a_legend(towns):
    layer = kiln.Layer(*towns)
    west, south, east, north = layer.bounds
    lon, lat, zoom = layer.center
    assert west < lon < east and south < lat < north and 3 <= zoom <= 6
    assert layer.legend().png().startswith(b"\x89PNG")


def test_points_on_a_plane_have_tiles_of_a_plane():
    layer = kiln.Layer([1.0, 2.0, 30.0], [1.0, 2.0, 20.0], crs="plane")
    tile = layer.tile(2, 0, -1)
    assert (tile.projection, tile.unit, tile.density().max() > 0) == ("plane", "points per m²", True)


def test_a_layer_of_a_store_is_that_of_its_points(tmp_path, towns):
    lon, lat, weight = (np.round(values.astype("f8"), 4) for values in towns)
    rows = "\n".join(f"{x},{y},{w}" for x, y, w in zip(lon, lat, weight))
    (tmp_path / "points.csv").write_text(f"lon,lat,weight\n{rows}\n")
    store = tmp_path / "store"
    arguments = ["import", str(tmp_path / "points.csv"), "--store", str(store), "--layer", "towns"]
    assert kiln._kiln.run_command([*arguments, "-q"]) == 0
    layers = [kiln.Layer(store), kiln.Layer(store, name="towns"), kiln.Layer(store / "towns")]
    memory = kiln.Layer(lon, lat, weight)
    for layer in layers:
        assert (layer.name, layer.points) == ("towns", 6000)
        stored, expected = (one.tile(5, 17, 10, units="per_px").density() for one in (layer, memory))
        assert np.allclose(stored, expected, atol=1e-3)
    with pytest.raises(ValueError, match="there is no layer `cities`; it has towns"):
        kiln.Layer(store, name="cities")
    with pytest.raises(TypeError, match="^radius: a layer of a store has its columns and style"):
        kiln.Layer(store, radius=5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda layer: layer.tile(3, 9, 0), ValueError, "9"),
        (lambda layer: layer.tile(3, 1, 1, size=9), TypeError, "^size: a tile has its own bounds and size"),
        (lambda layer: layer.value(1, 1, size=9), TypeError, "^size: the view is that of the zoom"),
        (lambda layer: layer.legend(bounds="world"), TypeError, "^bounds: the view is that of the zoom"),
        (lambda layer: layer.tile(3, 1, 1, lon="x"), TypeError, "^lon: it applies when points are read"),
        (lambda layer: layer.tile(3, 1, 1, radios=9), TypeError, "^unknown keyword radios"),
        (lambda layer: layer.render(bounds="nowhere"), ValueError, "^bounds: "),
        (lambda layer: layer.render(projection="plane", size=0), ValueError, "^size: "),
        (lambda layer: kiln.Layer([1.0], [2.0], size=5), TypeError, "^size: it is that of a picture"),
        (lambda layer: kiln.Layer([1.0], [2.0], scheme="fir"), ValueError, "^scheme: "),
    ],
)
def test_an_invalid_request_is_an_error_that_names_it(towns, call, error, message):
    with pytest.raises(error, match=message):
        call(kiln.Layer(*towns))
