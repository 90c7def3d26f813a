"""Checks metrics and the OpenAPI document of a server by programs that generate clients, and requests by the generated client.

The first argument is the URL of the server, the second the configuration of openapi-python-client. The working directory
contains openapi.json. Prints what the client received as JSON.
"""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as classic

url, config = sys.argv[1:]
programs = Path(sys.executable).parent

document = json.loads(Path("openapi.json").read_text())
validate(document, cls=OpenAPIV31SpecValidator)

# The generator formats its output by ruff, which is in the same folder.
command = [programs / "openapi-python-client", "generate", "--path", "openapi.json", "--config", config]
command += ["--meta", "none", "--output-path", "kiln_client", "--fail-on-warning"]
environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
run = subprocess.run(command, env=environment, capture_output=True, text=True)
warnings = "\n".join(line for line in (run.stdout + run.stderr).splitlines() if not line.startswith("Generating"))
assert run.returncode == 0 and not warnings.strip(), warnings

sys.path.insert(0, ".")
package = importlib.import_module("kiln_client")
modules = [module.name for module in pkgutil.walk_packages(package.__path__, "kiln_client.")]
imported = {name: importlib.import_module(name) for name in modules}
operations = {path for path in modules if path.startswith("kiln_client.api.") and hasattr(imported[path], "sync_detailed")}
ids = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
assert {name.rsplit(".", 1)[1] for name in operations} == ids, ids

layers, overlays, server = (f"kiln_client.api.{tag}." for tag in ("layers", "overlays", "server"))
client = package.Client(base_url=url, raise_on_unexpected_status=True, timeout=60)
models = imported["kiln_client.models"]
get_points = imported[f"{layers}get_points"].sync
points = get_points("stops", client=client, category=["bus", "tram"], limit=2)
tile = imported[f"{layers}get_tile"].sync("stops", 0, 0, "0", client=client)
value = imported[f"{layers}get_value_at"].sync("stops", 18.1, 59.4, client=client, zoom=9, categories=2)
overlay = imported[f"{overlays}create_overlay"].sync(client=client, body=models.OverlayRequest(layer="stops", size=64))
picture = imported[f"{overlays}get_overlay_image"].sync(overlay.filename, client=client)
missing = imported[f"{layers}get_tile"].sync("nowhere", 0, 0, "0", client=client)


def metrics(parse, accept):
    """The names and types of the metrics, and the media type."""
    request = urllib.request.Request(f"{url}/_/metrics", headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request) as response:
        families = list(parse(response.read().decode()))
        return sorted((family.name, family.type) for family in families), response.headers["content-type"]


print(
    json.dumps(
        {
            "catalog": [layer.name for layer in imported[f"{server}get_catalog"].sync(client=client).layers],
            "points": points.to_dict(),
            "tile": tile.payload.read(8).hex(),
            "value": value.to_dict(),
            "picture": picture.payload.read(8).hex(),
            "missing": missing.to_dict(),
            "classic": metrics(classic, None),
            "open_metrics": metrics(open_metrics, "application/openmetrics-text; version=1.0.0"),
        }
    )
)
