"""The pictures of the Python library heatmap 2.2.1: see tests/golden/classic/README.md."""

from __future__ import annotations

import hashlib
import json
import random
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from kiln import heatmap
from PIL import Image

CASES = sorted((Path(__file__).resolve().parents[3] / "tests/golden/classic").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_every_pixel_is_that_of_the_library(path):
    case = json.loads(path.read_text())
    params = case["params"]
    picture = heatmap.Heatmap().heatmap(
        [tuple(point) for point in case["points"]],
        dotsize=params["dotsize"],
        opacity=params["opacity"],
        size=tuple(params["size"]),
        scheme=params["scheme"],
        area=params["area"],
    )
    assert (picture.mode, picture.size) == ("RGBA", tuple(params["size"]))
    # The digest of the pixels that the library returned.
    assert hashlib.sha256(picture.tobytes()).hexdigest() == case["expect"]["rgba_sha256"]


def size_of(path):
    with Image.open(path) as picture:
        return picture.size


def test_the_example_of_the_library_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pts = []
    for _ in range(400):
        pts.append((random.random(), random.random()))
    hm = heatmap.Heatmap()
    img = hm.heatmap(pts)
    img.save("classic.png")
    assert size_of("classic.png") == (1024, 1024)
    assert hm.schemes() == ["classic", "fire", "omg", "pbj", "pgaitch"]


@pytest.mark.parametrize("area", [None, ((17.0, 59.0), (19.0, 60.0))])
def test_a_kml_file_has_the_picture_and_its_bounds(tmp_path, area):
    drawer = heatmap.Heatmap()
    with pytest.raises(ValueError, match="call heatmap"):
        drawer.saveKML(tmp_path / "a.kml")
    drawer.heatmap([(18.0, 59.3), (18.5, 59.9)], area=area, size=(64, 64))
    drawer.saveKML(tmp_path / "a & b.kml")
    box = ET.parse(tmp_path / "a & b.kml").getroot().find(".//{*}LatLonBox")
    edges = [float(box.find("{*}" + edge).text) for edge in ("west", "south", "east", "north")]
    assert edges == pytest.approx([17, 59, 19, 60] if area else [18, 59.3, 18.5, 59.9])
    href = ET.parse(tmp_path / "a & b.kml").getroot().find(".//{*}href").text
    assert size_of(tmp_path / href) == (64, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": []}, "^points: there are none"),
        ({"points": [(1, 2, 3)]}, r"^points: \(1, 2, 3\) at index 0 is not a pair"),
        ({"points": [("a", 2)]}, "is not a pair of numbers"),
        ({"dotsize": 0}, "^dotsize: 0 is not a number"),
        ({"opacity": 300}, "^opacity: 300 is not a whole number from 0 to 255"),
        ({"opacity": 0.5}, "^opacity: 0.5"),
        ({"size": (0, 5)}, "^size: "),
        ({"scheme": "Fire"}, "^scheme: unknown color scheme 'Fire'; expected one of classic, fire"),
    ],
)
def test_an_invalid_argument_is_an_error_that_names_it(arguments, message):
    with pytest.raises(ValueError, match=message):
        heatmap.Heatmap().heatmap(**{"points": [(1, 2)], **arguments})
