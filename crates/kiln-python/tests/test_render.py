"""Rendering of arrays, tables and files."""

from __future__ import annotations

import io
import struct

import kiln
import numpy as np
import pytest

VIEW = {"bounds": (0, 40, 30, 65), "size": (300, 200)}


def density(*points, **keywords):
    return kiln.render(*points, **VIEW, **keywords).density()


def test_an_image_has_its_size_bounds_unit_and_values(towns):
    lon, lat, weight = towns
    image = kiln.render(lon, lat, weight, radius="50km", **VIEW)
    assert (image.width, image.height, image.projection) == (300, 200, "mercator")
    assert image.bounds == pytest.approx((0, 40, 30, 65))
    assert image.corners == ((pytest.approx(40), pytest.approx(0)), (pytest.approx(65), pytest.approx(30)))
    assert image.unit == "weight per km²"
    assert image.report == {"read": 6000, "drawn": 6000, "outside": 0, "filtered": 0, "rejected": 0}
    values = image.density()
    assert (values.dtype, values.shape, values.flags.writeable) == (np.float32, (200, 300), False)
    assert values.max() > 0
    rgba = image.rgba()
    assert (rgba.dtype, rgba.shape) == (np.uint8, (200, 300, 4))
    assert np.array_equal(np.asarray(image), rgba)
    png = image._repr_png_()
    assert png == image.png()
    assert struct.unpack(">II", png[16:24]) == (300, 200)


def test_per_pixel_values_sum_to_the_weights(towns):
    lon, lat, weight = towns
    values = density(lon, lat, weight, radius=8, units="per_px")
    assert values.sum() == pytest.approx(weight.sum(), rel=1e-4)


def test_arrays_of_every_type_and_stride_give_the_same_picture(towns):
    lon, lat, weight = towns
    lon, lat, weight = (np.round(values * 4) for values in (lon, lat, weight))
    expected = density(lon / 4, lat / 4, weight)
    both = np.column_stack([lon / 4, lat / 4, weight])
    assert np.array_equal(density(both), expected)
    assert np.array_equal(density(both.tolist()), expected)
    assert np.array_equal(density(lon=both[:, 0], lat=both[:, 1], weight=both[:, 2]), expected)
    assert np.array_equal(density(both[::-1, 0], both[::-1, 1], both[::-1, 2]), expected)
    packed = np.zeros(len(lon), dtype=[("flag", "i1"), ("lon", "<f8"), ("lat", "<f8"), ("weight", "<f4")])
    packed["lon"], packed["lat"], packed["weight"] = both.T
    assert not packed["lon"].flags.aligned
    assert np.array_equal(density(packed["lon"], packed["lat"], packed["weight"]), expected)
    assert np.array_equal(density(packed), expected)
    for kind in ["<f8", ">f8", "<f4", "<f2", "i8", "<i4", "i2", "i1", "u8", "u4", "u2", "u1", object]:
        assert np.array_equal(density(lon / 4, lat / 4, weight.astype(kind)), expected), kind
    lon, lat = np.round(lon / 4), np.round(lat / 4)
    whole = density(lon, lat)
    for kind in ["<f4", ">i4", "i2", "i1", "u8", "u4", "u2", "u1"]:
        assert np.array_equal(density(lon.astype(kind), lat.astype(kind)), whole), kind
    assert np.array_equal(density(lon, lat, 2), 2 * whole)


def test_a_mask_hides_weights(towns):
    lon, lat, weight = towns
    masked = np.ma.masked_where(np.arange(len(lon)) % 2 == 0, weight)
    with pytest.warns(kiln.KilnWarning, match="3000"):
        values = density(lon, lat, masked)
    assert np.array_equal(values, density(lon[1::2], lat[1::2], weight[1::2]))


def test_rows_that_are_rejected_are_warned_of(towns):
    lon, lat, _ = towns
    lat = lat.copy()
    lat[7] = np.nan
    with pytest.warns(kiln.KilnWarning, match="row 8"):
        image = kiln.render(lon, lat, **VIEW)
    assert image.report["rejected"] == 1


def test_times_and_categories_filter(towns):
    lon, lat, _ = towns
    days = np.datetime64("2024-01-01") + np.arange(len(lon)) % 10
    expected = density(lon[days < np.datetime64("2024-01-04")], lat[days < np.datetime64("2024-01-04")])
    for unit in ["D", "h", "m", "s", "ms", "us", "ns", "25s"]:
        assert np.array_equal(density(lon, lat, time=days.astype(f"M8[{unit}]"), end="2024-01-04"), expected), unit
    seconds = days.astype("M8[s]").astype("i8")
    assert np.array_equal(density(lon, lat, time=seconds, end=np.datetime64("2024-01-04")), expected)
    assert np.array_equal(density(lon, lat, time=days.tolist(), end=days[3].item()), expected)
    kinds = np.array(["bus", "tram, old", None, ""], dtype=object)[np.arange(len(lon)) % 4]
    tram = density(lon[1::4], lat[1::4])
    assert np.array_equal(density(lon, lat, category_column=kinds, category=["tram, old"]), tram)
    with pytest.raises(ValueError, match="^category: the points have no column to filter by; give category_column"):
        density(lon, lat, category="bus")
    with pytest.raises(ValueError, match="^start: the points have no column to filter by; give time"):
        density(lon, lat, start="2024")


def test_the_points_of_a_file_are_those_of_its_columns(tmp_path, towns):
    lon, lat, weight = (np.round(values.astype("f8"), 3) for values in towns)
    path = tmp_path / "stops.csv"
    rows = "\n".join(f"{x},{y},{w}" for x, y, w in zip(lon, lat, weight))
    path.write_text(f"longitude,latitude,fare\n{rows}\n")
    expected = density(lon, lat, weight)
    assert np.array_equal(density(path, weight="fare"), expected)
    assert np.array_equal(density([str(path)], weight="fare"), expected)
    assert kiln.render(path, weight="fare", **VIEW).unit == "fare per km²"
    table = {"x": lon, "y": lat.tolist(), "w": weight}
    assert np.array_equal(density(table), expected)
    assert any("x and y were read as longitude" in remark for remark in kiln.render(table, **VIEW).remarks)


def test_without_bounds_the_picture_is_fitted_to_the_points(towns):
    lon, lat, _ = towns
    image = kiln.render(lon, lat, size=400, radius=10)
    west, south, east, north = image.bounds
    assert west < lon.min() and south < lat.min() and east > lon.max() and north > lat.max()
    assert max(image.width, image.height) == 400
    plane = kiln.render([0, 10, 3], [0, 4, 2], crs="plane", size=100)
    assert (plane.projection, plane.unit) == ("plane", "points per m²")


def test_coordinates_of_another_system_are_transformed():
    east, north = [500_000.0, 510_000.0], [5_500_000.0, 5_510_000.0]
    west, south, *_ = kiln.render(east, north, crs="EPSG:25832", size=100).bounds
    assert (west, south) == (pytest.approx(9, abs=0.1), pytest.approx(49.65, abs=0.1))


def test_the_value_of_a_pixel_is_found_by_its_position(towns):
    lon, lat, _ = towns
    image = kiln.render(lon, lat, **VIEW)
    row, column = np.unravel_index(np.argmax(image.density()), (200, 300))
    west, _, east, _ = image.bounds
    found = [image.value(west + (east - west) * (column + 0.5) / 300, y) for y in np.linspace(40, 65, 2000)]
    assert max(value for value in found if value is not None) == image.density().max()
    assert image.value(-10, 50) is None


def test_pictures_are_those_of_the_command_line(tmp_path, root):
    path = root / "data/earthquakes.geojson"
    code = kiln._kiln.run_command(
        ["render", str(path), "-o", str(tmp_path / "a.png"), "--radius", "100km", "--curve", "log", "-q"]
    )
    assert code == 0
    assert kiln.render(path, radius="100km", curve="log").png() == (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"radios": 5}, TypeError, "^unknown keyword radios: did you mean radius"),
        ({"radius": "5 miles"}, ValueError, "^radius: `5 miles` is not a size such as"),
        ({"radius": object()}, TypeError, "^radius: a object is not accepted"),
        ({"curve": "cubic"}, ValueError, "^curve: "),
        ({"scheme": "fir"}, ValueError, "^scheme: .*fire"),
        ({"bounds": (0, 50, 10, 40)}, ValueError, r"^bounds: south \(50\) must be less"),
        ({"size": 0}, ValueError, "^size: `0` has no pixels"),
        ({"threads": 0}, ValueError, "^threads: `0` is not a whole number from 1 to 1024"),
        ({"projection": "globe"}, ValueError, "^projection: "),
        ({"lat": "y"}, TypeError, "^lat is a name; give lon and lat as arrays"),
        ({"lat": [1.0]}, ValueError, "^lat: 1 values for 3 points"),
        ({"weight": ["a", "b", "c"]}, TypeError, "^weight: .*expected numbers"),
        ({"lon": [1 + 2j, 2, 3]}, TypeError, "^lon: the array is of type complex128; expected numbers"),
        ({"weight": np.array(["2026-01-01"] * 3, "M8[D]")}, TypeError, "^weight: .*datetime64.*expected numbers"),
        ({"weight": "fare"}, ValueError, "^weight: the name of a column, but the points are arrays"),
        ({"time": ["x", "y", "z"]}, TypeError, "^time: .*expected dates or times"),
    ],
)
def test_an_invalid_argument_is_an_error_that_names_it(keywords, error, message):
    with pytest.raises(error, match=message):
        kiln.render(**{"lon": [1.0, 2.0, 3.0], "lat": [1.0, 2.0, 3.0], **keywords})


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        ((), TypeError, "^lon is missing; give lon and lat as arrays, a table, or a file"),
        (([[1, 2, 3, 4]],), ValueError, "^points: an array of 1 x 4; expected rows of"),
        ((7,), TypeError, "^points: a int is not accepted"),
        (("missing.csv",), FileNotFoundError, "missing.csv"),
        (({"city": ["a"]},), ValueError, "^the table: .*city"),
        (({"lon": [1.0], "lat": [1.0, 2.0]},), ValueError, "^lat: 2 values, but lon has 1"),
        (([], []), ValueError, "points"),
        ((1, 2, 3, 4), TypeError, "^4 positional arguments"),
    ],
)
def test_points_that_cannot_be_read_are_an_error(points, error, message):
    with pytest.raises(error, match=message):
        kiln.render(*points)


def test_a_picture_is_written_as_png_and_geotiff(tmp_path, towns):
    image = kiln.render(*towns, **VIEW)
    image.save(tmp_path / "heat.png")
    image.save(str(tmp_path / "heat.tif"))
    assert (tmp_path / "heat.png").read_bytes() == image.png()
    assert (tmp_path / "heat.tif").read_bytes() == image.to_geotiff()
    image.to_geotiff(tmp_path / "colors.tif", bands="rgba")
    assert (tmp_path / "colors.tif").read_bytes() != image.to_geotiff()
    with pytest.raises(ValueError, match="extension is not .png or .tif"):
        image.save(tmp_path / "heat.jpg")
    with pytest.raises(ValueError, match="^bands: `red` is neither density nor rgba"):
        image.to_geotiff(bands="red")
    with pytest.raises(FileNotFoundError):
        image.save(tmp_path / "missing" / "heat.png")


def test_pillow_reads_the_picture_and_its_image_is_the_same(towns):
    from PIL import Image as pil
    image = kiln.render(*towns, **VIEW)
    decoded = np.asarray(pil.open(io.BytesIO(image.png())).convert("RGBA"))
    shown = image.rgba()[..., 3] > 0
    assert np.array_equal(decoded[shown], image.rgba()[shown])
    assert np.array_equal(np.asarray(image.to_pil()), image.rgba())


def test_the_legend_is_a_picture(towns):
    legend = kiln.render(*towns, **VIEW).legend("Fares", pixel_ratio=2)
    assert legend._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="^pixel_ratio"):
        kiln.render(*towns, **VIEW).legend(pixel_ratio=20)


def test_an_array_of_an_image_outlives_it(towns):
    values = kiln.render(*towns, **VIEW).density()
    copy = values.copy()
    kiln.render(*towns, **VIEW)
    assert np.array_equal(values, copy)


def test_every_keyword_is_documented():
    names = [name for name, doc in kiln.keywords() if doc]
    assert len(names) == len(set(names)) > 30
    assert {"radius", "scheme", "bounds", "size", "category_column", "category", "crs"} <= set(names)
    assert "fire" in kiln.schemes()
