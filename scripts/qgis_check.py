"""Opens the layer definition, the connections and the GeoTIFFs of a running Kiln in QGIS, and compares what QGIS draws with the points.

The pictures are in target/qgis. Run it by scripts/qgis.sh.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from urllib.parse import quote

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsLayerDefinition,
    QgsLayerTreeModel,
    QgsLayoutExporter,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPointXY,
    QgsPrintLayout,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsSettings,
)
from qgis.gui import QgsManageConnectionsDialog
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor

ROOT = pathlib.Path(__file__).resolve().parent.parent
KILN = os.environ.get("KILN", str(ROOT / "target/debug/kiln"))
OUTPUT = ROOT / "target/qgis"
MERCATOR = QgsCoordinateReferenceSystem("EPSG:3857")
DEGREES = QgsCoordinateReferenceSystem("EPSG:4326")

STOPS = [(18.0686, 59.3293), (18.0649, 59.3326), (18.0419, 59.3340), (17.9450, 59.3600)]
NOWHERE = [(18.02, 59.36), (18.0, 59.31), (17.96, 59.33)]
SECRET = "kiln_of_the_reader"
CONFIG = """
[layers.stops]
input = "stops.csv"
title = "Stops & stations"
attribution = "© <Somebody>"
[layers.hidden]
input = "stops.csv"
[keys.anonymous]
layers = ["stops"]
[keys.reader]
# printf kiln_of_the_reader | sha256sum
hash = "sha256:HASH"
"""


def setUpModule():
    global app, folder, server, address, log
    QgsApplication.setPrefixPath("/usr", True)
    app = QgsApplication([], True)
    app.initQgis()
    print(f"QGIS {Qgis.QGIS_VERSION}", file=sys.stderr)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kiln-qgis-"))
    (folder / "kiln.toml").write_text(CONFIG.replace("HASH", hashlib.sha256(SECRET.encode()).hexdigest()))
    rows = [f"{lon},{lat},\"bus, 1\"\n" for lon, lat in STOPS]
    rows += [f"{lon},{lat},tram\n" for lon, lat in NOWHERE[:1]]
    (folder / "stops.csv").write_text("lon,lat,category\n" + "".join(rows))
    command = [KILN, "serve", "--listen", "127.0.0.1:0"]
    log = open(folder / "log.txt", "w+")
    server = subprocess.Popen(command, cwd=folder, stderr=log, text=True)
    found = None
    while not found and server.poll() is None:
        time.sleep(0.05)
        found = re.search(r" at (http://[0-9.:]+)", (folder / "log.txt").read_text())
    assert found, (folder / "log.txt").read_text()
    address = found.group(1)


def tearDownModule():
    server.terminate()
    server.wait()
    log.close()
    shutil.rmtree(folder)
    QgsProject.instance().clear()
    app.exitQgis()


def fetch(path, name):
    """Saves the response to a request, and returns the file."""
    file = folder / name
    with urllib.request.urlopen(f"{address}{path}") as reply:
        file.write_bytes(reply.read())
    return file


def mercator(lon, lat):
    return QgsCoordinateTransform(DEGREES, MERCATOR, QgsProject.instance()).transform(QgsPointXY(lon, lat))


def settings_of(layer):
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(MERCATOR)
    settings.setBackgroundColor(QColor("white"))
    settings.setOutputSize(QSize(900, 600))
    south_west, north_east = mercator(17.9, 59.29), mercator(18.12, 59.38)
    settings.setExtent(QgsRectangle(south_west, north_east))
    return settings


def draw(layer, name):
    """Renders the layer in QGIS, saves the picture, and returns a function of the color at a position in degrees."""
    settings = settings_of(layer)
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    assert not job.errors(), [error.message for error in job.errors()]
    image = job.renderedImage()
    image.save(str(OUTPUT / name))

    def color_at(lon, lat):
        pixel = settings.mapToPixel().transform(mercator(lon, lat))
        return QColor(image.pixel(round(pixel.x()), round(pixel.y())))

    return color_at


class Tests(unittest.TestCase):
    def load(self, query, name):
        """Adds the layer of a layer definition to a new project."""
        project = QgsProject.instance()
        project.clear()
        file = fetch(query, f"{name}.qlr")
        is_loaded, message = QgsLayerDefinition.loadLayerDefinition(str(file), project, project.layerTreeRoot())
        self.assertTrue(is_loaded, message)
        [layer] = project.mapLayers().values()
        self.assertTrue(layer.isValid(), layer.error().message())
        return layer

    def assert_heat(self, color_at, hot, cold):
        for position in hot:
            self.assertLess(color_at(*position).value(), 200, f"no heat at {position}")
        for position in cold:
            self.assertEqual(color_at(*position).name(), "#ffffff", f"heat at {position}")

    STYLE = "gradient=black,black&radius=12"

    def test_a_layer_definition_shows_the_points_at_their_place(self):
        layer = self.load(f"/stops/qgis.qlr?{self.STYLE}", "stops")
        self.assertEqual(layer.name(), "Stops & stations")
        self.assertEqual(layer.metadata().rights(), ["© <Somebody>"])
        self.assertEqual(layer.crs().authid(), "EPSG:3857")
        self.assert_heat(draw(layer, "stops.png"), STOPS + NOWHERE[:1], NOWHERE[1:])

    def test_a_filter_with_a_comma_reaches_the_server(self):
        layer = self.load(f"/stops/qgis.qlr?{self.STYLE}&category=%5B%22bus%2C%201%22%5D", "bus")
        self.assert_heat(draw(layer, "bus.png"), STOPS, NOWHERE)

    def test_a_saved_project_has_the_layer(self):
        self.load(f"/stops/qgis.qlr?{self.STYLE}&category=%5B%22bus%2C%201%22%5D", "saved")
        project, file = QgsProject.instance(), str(folder / "saved.qgz")
        self.assertTrue(project.write(file), project.error())
        self.assertTrue(project.read(file), project.error())
        [layer] = project.mapLayers().values()
        self.assert_heat(draw(layer, "saved.png"), STOPS, NOWHERE)
        self.assertTrue(layer.legendPlaceholderImage().startswith("base64:"))

    def test_a_key_is_a_part_of_the_layer(self):
        layer = self.load(f"/hidden/qgis.qlr?{self.STYLE}&key={SECRET}", "hidden")
        self.assert_heat(draw(layer, "hidden.png"), STOPS, NOWHERE[1:])

    def test_the_legend_is_shown_in_the_layer_panel_and_in_a_layout(self):
        layer = self.load("/stops/qgis.qlr?radius=40", "legend")
        project = QgsProject.instance()
        model = QgsLayerTreeModel(project.layerTreeRoot())
        [node] = project.layerTreeRoot().findLayers()
        pictures = [each.data(Qt.DecorationRole) for each in model.layerLegendNodes(node)]
        sizes = [(picture.width(), picture.height()) for picture in pictures if picture]
        self.assertTrue(any(width > 200 and height > 50 for width, height in sizes), sizes)

        layout = QgsPrintLayout(project)
        layout.initializeDefaults()
        chart = QgsLayoutItemMap(layout)
        chart.attemptMove(QgsLayoutPoint(5, 5))
        chart.attemptResize(QgsLayoutSize(287, 200))
        chart.setExtent(settings_of(layer).extent())
        chart.setLayers([layer])
        layout.addLayoutItem(chart)
        legend = QgsLayoutItemLegend(layout)
        legend.setLinkedMap(chart)
        legend.attemptMove(QgsLayoutPoint(10, 10))
        layout.addLayoutItem(legend)
        options = QgsLayoutExporter.ImageExportSettings()
        options.dpi = 96
        result = QgsLayoutExporter(layout).exportToImage(str(OUTPUT / "layout.png"), options)
        self.assertEqual(result, QgsLayoutExporter.Success)

    def test_the_connections_are_loaded_by_the_dialog_of_qgis(self):
        text = (ROOT / "examples/qgis/connections.xml").read_text()
        file = folder / "connections.xml"
        file.write_text(text.replace("http://127.0.0.1:3000", address))
        dialog = QgsManageConnectionsDialog(
            None, QgsManageConnectionsDialog.Import, QgsManageConnectionsDialog.XyzTiles, str(file)
        )
        dialog.selectAll()
        dialog.doExportImport()
        settings = QgsSettings()
        keys = [key for key in settings.allKeys() if "xyz" in key and key.endswith("/url")]
        urls = [settings.value(key) for key in keys if str(settings.value(key)).startswith(address)]
        self.assertEqual(urls, [f"{address}/stops/{{z}}/{{x}}/{{y}}.png?radius=40"])
        layer = QgsRasterLayer(f"type=xyz&zmin=0&zmax=24&url={quote(urls[0], safe='')}", "stops", "wms")
        self.assertTrue(layer.isValid())
        color_at = draw(layer, "connection.png")
        self.assertNotEqual(color_at(*STOPS[0]).name(), "#ffffff")
        self.assertEqual(color_at(*NOWHERE[2]).name(), "#ffffff")

    def test_a_geotiff_has_the_values(self):
        file = fetch("/stops/bbox/17.9,59.3,18.1,59.4/800x800.tif?radius=500m&units=per_km2", "values.tif")
        layer = QgsRasterLayer(str(file), "values", "gdal")
        self.assertTrue(layer.isValid())
        value = lambda position: layer.dataProvider().sample(mercator(*position), 1)
        for position in STOPS:
            found, is_valid = value(position)
            self.assertTrue(is_valid and 0.5 < found < 10, f"{found} points per km² at {position}")
        self.assertEqual(value(NOWHERE[2]), (0.0, True))

    def test_an_exported_geotiff_has_the_colors(self):
        file = folder / "map.tif"
        command = [KILN, "export", "stops.csv", "--zoom", "10-12", "--radius", "12", "--gradient", "black,black", "-o", str(file)]
        subprocess.run(command, cwd=folder, check=True, stderr=subprocess.DEVNULL)
        layer = QgsRasterLayer(str(file), "map", "gdal")
        self.assertTrue(layer.isValid())
        self.assertEqual(layer.bandCount(), 4)
        self.assert_heat(draw(layer, "export.png"), STOPS, NOWHERE[1:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
