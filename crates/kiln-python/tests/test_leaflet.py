"""The heat maps of folium and ipyleaflet."""

from __future__ import annotations

import base64
import inspect
import io

import folium.plugins
import ipyleaflet
import kiln
import numpy as np
import pandas as pd
import pytest
from kiln.folium import HeatMap
from kiln.ipyleaflet import Heatmap
from PIL import Image


@pytest.fixture(scope="module")
def locations(towns) -> np.ndarray:
    lon, lat, weight = towns
    return np.column_stack([lat, lon, weight])


def pixels(url: str) -> np.ndarray:
    start = "data:image/png;base64,"
    assert url.startswith(start)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url[len(start) :]))).convert("RGBA"))


def test_the_parameters_are_those_of_folium_in_order():
    theirs = [name for name in inspect.signature(folium.plugins.HeatMap.__init__).parameters if name != "kwargs"]
    assert list(inspect.signature(HeatMap.__init__).parameters)[: len(theirs)] == theirs


def test_the_traits_are_those_of_ipyleaflet():
    base = set(ipyleaflet.Layer().trait_names())
    assert set(ipyleaflet.Heatmap().trait_names()) - base <= set(Heatmap().trait_names())


def test_a_map_of_folium_has_the_picture_at_its_place(towns, locations, tmp_path):
    lon, lat, weight = towns
    heat = HeatMap(locations, "heat", min_opacity=0, radius=20, blur=10, size=400)
    page = folium.Map([50, 15], zoom_start=5)
    heat.add_to(page)
    page.save(tmp_path / "map.html")
    assert heat.url in (tmp_path / "map.html").read_text()
    (south, west), (north, east) = heat.get_bounds()
    assert west < lon.min() and east > lon.max() and south < lat.min() and north > lat.max()
    gradient = "transparent,blue 40%,cyan 60%,lime 70%,yellow 80%,red"
    expected = kiln.render(lon, lat, weight, radius=30, gradient=gradient, size=400, units="per_px")
    assert max(pixels(heat.url).shape) == 400
    assert heat.get_bounds() == [list(corner) for corner in expected.corners]
    visible = expected.rgba()[..., 3] > 0
    assert np.array_equal(pixels(heat.url)[visible], expected.rgba()[visible])
    # By default the least opacity is a half, except at the edges of dots.
    opacity = pixels(HeatMap(locations, radius=20, blur=10, size=400).url)[..., 3]
    assert np.median(opacity[opacity > 0]) > 127 > np.median(pixels(heat.url)[..., 3][visible])


def test_data_has_the_forms_of_folium(locations):
    expected = pixels(HeatMap(locations, size=200).url)
    for data in [locations.tolist(), pd.DataFrame(locations), [tuple(row) for row in locations]]:
        assert np.array_equal(pixels(HeatMap(data, size=200).url), expected)
    with pytest.raises(ValueError, match="data may not contain NaNs"):
        HeatMap([[1.0, float("nan")]])
    with pytest.raises(ValueError, match="^data: an array of 1 x 4"):
        HeatMap([[1, 2, 3, 4]])
    with pytest.raises(ValueError, match="^gradient: "):
        HeatMap(locations, gradient={2: "red"})


def test_a_gradient_and_a_maximum_set_the_colors(locations):
    red = pixels(HeatMap(locations, gradient={0: "red", 1: "red"}, size=200).url)
    assert set(map(tuple, red[red[..., 3] > 0][:, :3])) == {(255, 0, 0)}
    lone = [[50.0, 10.0, 3.0]]
    hot, cold = (pixels(HeatMap(lone, max=maximum, size=200).url) for maximum in (3, 300))
    middle = (len(hot) // 2, len(hot[0]) // 2)
    assert tuple(hot[middle])[:3] == (255, 0, 0)
    assert tuple(cold[middle])[:3] != (255, 0, 0)


def test_a_heat_map_of_ipyleaflet_is_drawn_again_when_a_trait_changes(locations):
    heat = Heatmap(locations=locations.tolist(), radius=20, size=200)
    before, bounds = heat.url, heat.bounds
    assert max(pixels(before).shape) == 200
    heat.gradient = {0.5: "red", 1: "black"}
    assert heat.url != before and heat.bounds == bounds
    heat.locations = [[10.0, 20.0], [11.0, 22.0]]
    assert heat.bounds != bounds
    heat.locations = []
    assert heat.url == ""
