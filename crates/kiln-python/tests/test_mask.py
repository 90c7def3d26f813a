"""The widget of arrays over pictures."""

from __future__ import annotations

import io

import kiln
import numpy as np
import pytest
from PIL import Image

SHARP = {"blur_ksize": None}


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def click(widget: kiln.Heatmap, x: float, y: float) -> None:
    widget._handle_custom_msg({"kind": "click", "x": x, "y": y}, [])


def test_values_have_the_colors_of_their_levels():
    widget = kiln.Heatmap(heatmap_mask=np.array([[0.0, 0.5], [np.nan, 1.0]]), **SHARP)
    heat = pixels(widget.heat)
    # OpenCV's jet: dark blue, green and dark red.
    assert [tuple(heat[0, 0]), tuple(heat[1, 1])] == [(0, 0, 128, 255), (128, 0, 0, 255)]
    assert heat[0, 1, 1] == 255 and heat[1, 0, 3] == 0
    assert widget.legend.startswith(b"\x89PNG") and widget.opacity == 70
    channels = kiln.Heatmap(heatmap_mask=np.dstack([[[0, 1]], [[0, 3]]]), **SHARP)
    assert np.array_equal(pixels(channels.heat), pixels(kiln.Heatmap(heatmap_mask=[[0, 2]], **SHARP).heat))


def test_the_size_is_that_of_the_picture_below(tmp_path):
    picture = np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    for image in (picture, str(tmp_path / "photo.png"), tmp_path / "photo.png", picture / 255):
        widget = kiln.Heatmap(image, np.eye(8))
        assert widget.size == [60, 40]
        assert np.abs(pixels(widget.background)[..., :3].astype(int) - picture).max() <= 1
    widget.width = 300
    assert widget.size == [300, 200]
    widget.height = 100
    assert widget.size == [300, 100]
    assert kiln.Heatmap(heatmap_mask=np.eye(8), height=16).size == [16, 16]


def test_a_click_has_the_value_of_its_cell():
    widget, calls = kiln.Heatmap(heatmap_mask=np.array([[1.0, 2.0], [np.nan, 4.0]])), []
    assert (widget.click_x, widget.click_y, widget.click_value) == (None, None, None)

    @widget.click
    def handle_click(y: int, x: int, value: float):
        calls.append((y, x, value))

    click(widget, 0.75, 0.25)
    assert (widget.click_x, widget.click_y, widget.click_value) == (1, 0, 2.0)
    click(widget, 0.1, 0.9)
    assert calls == [(0, 1, 2.0), (1, 0, None)] and widget.clicked == "x 0, y 1: no value"
    click(widget, 1.5, 0.5)
    assert len(calls) == 2


def test_a_change_draws_the_mask_again():
    widget = kiln.Heatmap(heatmap_mask=np.arange(12).reshape(3, 4), **SHARP)
    for name, value in (("colormap", "viridis"), ("colormap", 4), ("vmin", 3), ("vmax", 8)):
        before = widget.heat
        setattr(widget, name, value)
        assert getattr(widget, name) == value and widget.heat != before, name
    before = widget.heat
    with pytest.raises(ValueError, match="^vmin: "):
        widget.vmin = 9
    assert (widget.vmin, widget.heat) == (3, before)
    widget.opacity = 130
    assert widget.opacity == 100


def test_a_blur_function_replaces_the_blur():
    mask, seen = np.array([[0.0, 10.0], [np.nan, 20.0]]), []

    def blur(levels):
        seen.append(levels.copy())
        return np.full_like(levels, 255)

    widget = kiln.Heatmap(heatmap_mask=mask, blur_function=blur, transparent_low=True)
    assert seen[0].dtype == np.uint8 and seen[0].tolist() == [[0, 127], [0, 255]]
    heat = pixels(widget.heat)
    assert heat[..., 3].tolist() == [[0, 255], [0, 255]] and tuple(heat[0, 1]) == tuple(heat[1, 1])
    with pytest.raises(ValueError, match="^blur_function: it returned an array of"):
        kiln.Heatmap(heatmap_mask=mask, blur_function=lambda levels: levels[:1])


ANNOTATION = {
    "size": {"height": 10, "width": 20},
    "objects": [
        {"classTitle": "car", "geometryType": "rectangle", "points": {"exterior": [[0, 0], [9, 4]], "interior": []}},
        {"classTitle": "dog", "geometryType": "rectangle", "points": {"exterior": [[5, 0], [14, 9]], "interior": []}},
    ],
}


class Annotation:
    """What Supervisely's annotations have."""

    def to_json(self):
        return ANNOTATION


def test_annotations_are_counted():
    widget = kiln.Heatmap()
    for annotation in (ANNOTATION, Annotation()):
        widget.set_heatmap_from_annotations([annotation])
        assert widget.size == [20, 10]
        click(widget, 6.5 / 20, 2.5 / 10)
        assert widget.click_value == 2
    widget.set_heatmap_from_annotations([ANNOTATION, ANNOTATION], object_name="dog")
    click(widget, 6.5 / 20, 2.5 / 10)
    assert widget.click_value == 2
    with pytest.raises(ValueError, match="should have at least one element"):
        widget.set_heatmap_from_annotations([])
    with pytest.raises(ValueError, match="cat"):
        widget.set_heatmap_from_annotations([ANNOTATION], object_name="cat")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"heatmap_mask": np.zeros(3)}, ValueError, "^mask: an array of 3; expected"),
        ({"heatmap_mask": np.eye(9), "blur_ksize": (4, 4)}, ValueError, "^blur_ksize: "),
        ({"heatmap_mask": np.eye(9), "colormap": "jett"}, ValueError, "^colormap: "),
        ({"background_image": np.zeros((2, 2, 7))}, ValueError, "^background_image: an array of 2 x 2 x 7"),
        ({"background_image": "missing.png"}, FileNotFoundError, "missing.png"),
    ],
)
def test_an_invalid_argument_is_an_error_that_names_it(arguments, error, message):
    with pytest.raises(error, match=message):
        kiln.Heatmap(**arguments)
