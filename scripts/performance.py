#!/usr/bin/env python3
"""Measures what docs/performance.md states: performance.py FOLDER [SECTION...]

FOLDER takes the points, a store and the pictures, about 1 GB. Sections: files, import, tiles, http, cached, sizes; without one, all.
Each command runs once to warm the file cache and then RUNS times (7), the commands of a section in turn, so that all of them
meet the same machine. Printed are medians, in parentheses minima and maxima, of the wall time, and maxima of the resident memory, as rows
for the page.

KILN names the binary (target/release/kiln), PEERS a Python with datashader, numba, opencv-python-headless, pillow and pyarrow
(python3), which also makes the points. The section cached needs wrk. The machine must be idle.
"""

import http.client
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
KILN = str(Path(os.environ.get("KILN", SCRIPTS.parent / "target/release/kiln")).resolve())
PEERS = os.environ.get("PEERS", "python3")
RUNS = int(os.environ.get("RUNS", "7"))
COUNTS = {"1m": 1_000_000, "10m": 10_000_000}


def run(command: list[str]) -> tuple[float, float, str]:
    """Wall time in seconds, peak resident memory in MB (10⁶ bytes), and the text on standard error."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: {message}")
    return seconds, usage.ru_maxrss * 1024 / 1e6, message


def side_by_side(commands: dict[str, list[str]], before=lambda: None) -> None:
    """Runs the commands in turn and prints a row for each."""
    measured = {name: [] for name in commands}
    for round_number in range(RUNS + 1):
        for name, command in commands.items():
            before()
            seconds, megabytes, message = run(command)
            if round_number > 0:
                measured[name].append((seconds, megabytes, message))
    for name, runs in measured.items():
        seconds = [run[0] for run in runs]
        spread = f"{min(seconds):.3f}–{max(seconds):.3f}"
        row = f"| {name} | {statistics.median(seconds):.3f} s ({spread}) | {max(run[1] for run in runs):.0f} MB |"
        # What `kiln export` prints: "exported 1m, zoom 0-7: 20,686 tiles, …; 1,927/s in 10.740 s: …".
        exports = [re.search(r": ([\d,]+) tiles.*; ([\d,]+)/s in", run[2]) for run in runs]
        if all(exports):
            rate = statistics.median(int(export[2].replace(",", "")) for export in exports)
            row += f" {exports[0][1]} tiles, {rate:,.0f}/s |"
        print(row, flush=True)


def make_points(folder: Path) -> None:
    for name, count in COUNTS.items():
        files = [folder / f"{name}.parquet", folder / f"{name}.csv"]
        if not all(file.exists() for file in files):
            subprocess.run([PEERS, str(SCRIPTS / "points.py"), str(count), *map(str, files)], check=True)
        print(", ".join(f"{file.name}: {file.stat().st_size / 1e6:.0f} MB" for file in files))


def render(source: Path, output: Path) -> list[str]:
    return [KILN, "render", str(source), "--bounds", "world", "--size", "1024", "-o", str(output)]


def files(folder: Path) -> None:
    """From a file to a PNG, a fresh process each time: Kiln and its peers."""
    for name in COUNTS:
        for ending in ("parquet", "csv"):
            source = folder / f"{name}.{ending}"
            print(f"\n{source.name} → 1024 × 1024 PNG")
            side_by_side({
                "Kiln": render(source, folder / "kiln.png"),
                "numba + OpenCV": [PEERS, str(SCRIPTS / "peers/numba_png.py"), str(source), str(folder / "numba.png")],
                "datashader": [PEERS, str(SCRIPTS / "peers/datashader_png.py"), str(source), str(folder / "datashader.png")],
            })


def import_layers(folder: Path) -> None:
    """From a file to a layer of a store."""
    store = folder / "import"
    for name in COUNTS:
        print(f"\nimport of {name}")
        side_by_side(
            {
                ending: [KILN, "import", str(folder / f"{name}.{ending}"), "--layer", "points", "--store", str(store)]
                for ending in ("parquet", "csv")
            },
            before=lambda: shutil.rmtree(store, ignore_errors=True),
        )
        size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        print(f"store: {size / 1e6:.0f} MB")
    shutil.rmtree(store, ignore_errors=True)


def stored(folder: Path) -> Path:
    """A store with a layer of each count."""
    store = folder / "store"
    for name in COUNTS:
        if not (store / name).exists():
            run([KILN, "import", str(folder / f"{name}.parquet"), "--layer", name, "--store", str(store)])
    return store


def tiles(folder: Path) -> None:
    """Every tile of zoom 0 to 7 from a stored layer, into one file."""
    store, output = stored(folder), folder / "tiles.pmtiles"
    for name in COUNTS:
        print(f"\nexport of {name}, zoom 0-7")
        side_by_side(
            {name: [KILN, "export", name, "--store", str(store), "--zoom", "0-7", "-o", str(output)]},
            before=lambda: output.unlink(missing_ok=True),
        )


def percentiles(seconds: list[float]) -> str:
    quantiles = statistics.quantiles(seconds, n=100, method="inclusive")
    return " | ".join(f"{1000 * quantiles[at - 1]:.1f} ms" for at in (50, 95, 99))


def timed(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> float:
    """Seconds from the request to the last byte of the response."""
    start = time.perf_counter()
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    content = response.read()
    if response.status not in (200, 201):
        sys.exit(f"{method} {path}: {response.status} {content[:300]!r}")
    return time.perf_counter() - start


def places(folder: Path) -> list[tuple[float, float]]:
    """Longitude and latitude of points: as these are in random order, towns are as frequent as among all points."""
    with (folder / "1m.csv").open() as lines:
        return [tuple(map(float, line.split(",")[:2])) for line in islice(lines, 1, 5000)]


def views(folder: Path) -> list[tuple[int, int, int]]:
    """600 different tiles of zoom 2 to 9 at points of the layers."""
    tiles = {}
    for number, (lon, lat) in enumerate(places(folder)):
        across = 2 ** (2 + number % 8)
        y = 0.5 - math.asinh(math.tan(math.radians(lat))) / (2 * math.pi)
        tiles[(2 + number % 8, int((lon / 360 + 0.5) * across), min(int(y * across), across - 1))] = None
        if len(tiles) == 600:
            break
    return list(tiles)


@contextmanager
def serving(folder: Path, config: str):
    """The address of a server with the layers of the store, and its process number."""
    store, file = stored(folder), folder / "kiln.toml"
    file.write_text(config)
    command = [KILN, "serve", "-c", str(file), "--store", str(store), "--images", str(folder / "imgs"), "-l", "127.0.0.1:0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield next(found[1] for line in server.stderr if (found := re.search(r"at http://([\d.:]+)/", line))), server.pid
    finally:
        server.terminate()
        server.wait()


def over_http(folder: Path) -> None:
    """Latency of a tile and of an overlay over HTTP, one client that keeps its connection; 50, 95 and 99 %."""
    with serving(folder, '[cache]\nsize = 0\n[log]\nlevel = "warn"\n') as (address, process):
        connection = http.client.HTTPConnection(address)
        print("\n| request | 50 % | 95 % | 99 % |")
        for name in COUNTS:
            def tile(view: tuple[int, int, int]) -> float:
                return timed(connection, "GET", "/{}/{}/{}/{}.png".format(name, *view))

            # The first tile of a zoom also computes what the colors of that zoom mean.
            first = [tile((zoom, 2 ** (zoom - 1), 2 ** (zoom - 1))) for zoom in range(2, 10)]
            print(f"| {name}: first tile of a zoom | {percentiles(first)} |")
            print(f"| {name}: tile | {percentiles([tile(view) for view in views(folder)])} |")
            overlays = []
            for number, (lon, lat) in enumerate(islice(places(folder), 200)):
                width = (1, 5, 20, 60)[number % 4]
                west, south = max(lon - width / 2, -180), min(max(lat - width * 0.3, -80), 80 - width * 0.6)
                body = {"layer": name, "bounds": [west, south, west + width, south + width * 0.6], "size": [1280, 800]}
                overlays.append(timed(connection, "POST", "/overlays", json.dumps(body)))
            print(f"| {name}: overlay | {percentiles(overlays)} |", flush=True)
        memory = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]
        print(f"server: at most {int(memory) * 1024 / 1e6:.0f} MB")


def cached(folder: Path) -> None:
    """Requests per second of one tile that is in the cache, by wrk on the same machine."""
    rates = []
    with serving(folder, '[log]\nlevel = "warn"\n') as (address, _):
        for _ in range(RUNS):
            command = ["wrk", "-t1", "-c16", "-d5s", f"http://{address}/10m/4/8/5.png"]
            report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            if "Non-2xx" in report:
                sys.exit(report)
            rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1]))
    print(f"\n| a cached tile | {statistics.median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f}) |")


def sizes(folder: Path) -> None:
    """Bytes of the pictures that the section `files` drew, and of a layer's tiles."""
    print()
    for name in ("kiln", "numba", "datashader"):
        print(f"| {name}.png | {(folder / f'{name}.png').stat().st_size / 1e3:.0f} kB |")


SECTIONS = {"files": files, "import": import_layers, "tiles": tiles, "http": over_http, "cached": cached, "sizes": sizes}


def main() -> None:
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(SECTIONS):
        sys.exit(__doc__)
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    make_points(folder)
    for section in sys.argv[2:] or SECTIONS:
        SECTIONS[section](folder)


main()
