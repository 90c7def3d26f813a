"""Maps in notebooks, through the messages of the page, and the server."""

from __future__ import annotations

import json
import urllib.request

import kiln
import pytest


class Page:
    """The page of a map: what it sends, and what it receives."""

    def __init__(self, shown: kiln.Map) -> None:
        self.map, self.received = shown, []
        shown.send = lambda content, buffers=None: self.received.append((content, buffers))

    def ask(self, **content):
        self.map._handle_custom_msg({"id": 7, **content}, [])
        (reply, buffers) = self.received.pop()
        assert reply.pop("id") == 7
        return reply, buffers


def test_a_map_draws_the_tiles_of_its_layer(towns):
    shown = kiln.heat(*towns, radius=12)
    page, layer = Page(shown), kiln.Layer(*towns)
    reply, (png,) = page.ask(kind="tile", z=5, x=17, y=10, ratio=2)
    assert reply == {} and png == layer.tile(5, 17, 10, pixel_ratio=2, radius=12).png()
    # The same tile in another copy of the world, one without points, and one beyond the pole.
    assert page.ask(kind="tile", z=5, x=17 - 32, y=10, ratio=2) == ({}, [png])
    assert page.ask(kind="tile", z=5, x=1, y=20, ratio=1) == ({}, [])
    assert page.ask(kind="tile", z=5, x=1, y=32, ratio=1) == ({}, [])


def test_a_map_shows_its_points(towns):
    lon, lat, _ = towns
    shown = kiln.heat(*towns, height=300)
    assert shown.height == "300px" and shown.zoom == kiln.Layer(*towns).center[2]
    latitude, longitude = shown.center
    assert lon.min() < longitude < lon.max() and lat.min() < latitude < lat.max()
    assert shown.legend.startswith(b"\x89PNG")
    bundle = shown._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in (bundle[0] if isinstance(bundle, tuple) else bundle)


def test_a_click_shows_the_value(towns):
    shown = kiln.heat(*towns)
    latitude, longitude = shown.center
    layer, page = kiln.Layer(*towns), Page(shown)
    value = layer.value(longitude, latitude, 6)["value"]
    reply, _ = page.ask(kind="value", lon=longitude, lat=latitude, z=6)
    assert reply == {"text": f"{value:.4g} weight per km²"}


def test_a_style_changes_the_tiles_and_the_legend(towns):
    shown = kiln.heat(*towns)
    page = Page(shown)
    before = page.ask(kind="tile", z=5, x=17, y=10, ratio=1), shown.legend, shown.version
    assert shown.style(scheme="viridis", vmax=3) is shown
    after = page.ask(kind="tile", z=5, x=17, y=10, ratio=1), shown.legend, shown.version
    assert all(one != other for one, other in zip(before, after))
    with pytest.raises(ValueError, match="^scheme: "):
        shown.style(scheme="fir")
    assert page.ask(kind="tile", z=5, x=17, y=10, ratio=1) == after[0]


def test_the_legend_is_that_of_the_zoom(towns):
    shown = kiln.heat(*towns)
    before = shown.legend
    shown.zoom += 3
    assert shown.legend != before and shown.legend == kiln.Layer(*towns).legend(shown.zoom, pixel_ratio=2).png()


def test_an_error_is_a_reply(towns):
    reply, _ = Page(kiln.heat(*towns)).ask(kind="tile", z=99, x=0, y=0, ratio=1)
    assert "99" in reply["error"]


@pytest.mark.parametrize(("keywords", "error"), [({"radios": 5}, TypeError), ({"scheme": "fir"}, ValueError), ({"size": 5}, TypeError)])
def test_an_invalid_style_is_an_error_before_the_map(towns, keywords, error):
    with pytest.raises(error, match=next(iter(keywords))):
        kiln.heat(*towns, **keywords)


def test_points_on_a_plane_have_a_map(root):
    shown = kiln.heat([1.0, 2.0, 30.0], [1.0, 2.0, 20.0], crs="plane")
    reply, (png,) = Page(shown).ask(kind="tile", z=2, x=0, y=-1, ratio=1)
    assert shown.is_plane and png.startswith(b"\x89PNG")


def test_a_server_runs_in_the_background(root, tmp_path):
    with kiln.serve(root / "data/cities.parquet", store=tmp_path / "store") as server:
        with urllib.request.urlopen(f"{server.url}catalog") as response:
            catalog = json.load(response)
        assert [layer["name"] for layer in catalog["layers"]] == ["cities"]
        with urllib.request.urlopen(f"{server.url}cities/3/4/2.png") as response:
            assert response.read().startswith(b"\x89PNG")
        assert server.is_running and server.url in server._repr_html_()
    assert not server.is_running
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{server.url}health", timeout=5)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"settings": {"images.tll": "1h"}}, ValueError, "tll"),
        ({"listen": "nowhere"}, ValueError, "nowhere"),
        ({"size": 5}, TypeError, "^size: a server has no bounds or size"),
        ({"config": "missing.toml"}, FileNotFoundError, "missing.toml"),
    ],
)
def test_an_invalid_setting_is_an_error(root, tmp_path, keywords, error, message):
    with pytest.raises(error, match=message):
        kiln.serve(root / "data/cities.parquet", store=tmp_path / "store", **keywords)
