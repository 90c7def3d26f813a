#!/usr/bin/env python3
"""Measures the memory of a server under mixed load: soak.py [--minutes 30] [--clients 8] [--max-mb 200] [--max-slope 0.5] [--seed 1]

Starts the binary KILN (target/release/kiln) with its defaults in an empty folder, on the bundled cities, flights and earthquakes
and a layer to which the clients add points. Each client requests random tiles, pictures, overlays, queries with their tiles, grids,
statistics and legends, with random styles, filters and bounds. Once a minute it prints the anonymous resident memory (RssAnon) and the
number of requests. Exits with 1 if the memory of a second half's sample exceeds --max-mb (10⁶ bytes), if its slope exceeds
--max-slope MB per minute, or if a response is an error.

KILN_SERVE_ARGS are further arguments of `kiln serve`. The system must be Linux, whose /proc has the memory of processes.
"""

import argparse
import collections
import http.client
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KILN = str(Path(os.environ.get("KILN", ROOT / "target/release/kiln")).resolve())
TOKEN = "soak"
SCHEMES = ["fire", "viridis", "magma", "inferno", "plasma", "turbo"]
CURVES = ["linear", "sqrt", "log", "eqhist"]
KERNELS = ["gaussian", "cone", "quartic", "uniform", "epanechnikov"]


class Client(threading.Thread):
    """A client that sends random requests over one connection until it is stopped."""

    def __init__(self, port: int, seed: int, counts: collections.Counter, stop: threading.Event):
        super().__init__(daemon=True)
        self.port, self.random, self.counts, self.stop = port, random.Random(seed), counts, stop
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.queries: list[str] = []

    def request(self, method: str, path: str, body: bytes | str | None = None, kind: str | None = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        if kind:
            headers["Content-Type"] = kind
        for _ in range(2):
            try:
                self.connection.request(method, path, body, headers)
                response = self.connection.getresponse()
                content = response.read()
                break
            except (http.client.HTTPException, OSError):
                self.connection.close()
        else:
            self.counts["no response"] += 1
            return 0, b""
        self.counts[response.status] += 1
        self.counts["requests"] += 1
        if response.status >= 400:
            print(f"{response.status} {method} {path[:200]}: {content[:200]!r}", flush=True)
        return response.status, content

    def style(self) -> dict[str, str]:
        """A style, most of which differ from all earlier ones."""
        pick, style = self.random, {"scheme": self.random.choice(SCHEMES)}
        if pick.random() < 0.7:
            style["radius"] = str(pick.randint(4, 40)) if pick.random() < 0.8 else f"{pick.randint(2, 38)}km"
        if pick.random() < 0.3:
            style["curve"] = pick.choice(CURVES)
        if pick.random() < 0.3:
            style["kernel"] = pick.choice(KERNELS)
        if pick.random() < 0.3:
            style["opacity"] = f"{pick.random():.2f}"
        if pick.random() < 0.2:
            style["normalize"] = f"p{pick.randint(90, 99)}"
        if pick.random() < 0.1:
            del style["scheme"]
            style["gradient"] = ",".join(f"%23{pick.randrange(1 << 24):06x}" for _ in range(pick.randint(2, 9)))
        return style

    def filter(self, layer: str) -> dict[str, str]:
        """A filter that the layer supports."""
        pick = self.random
        if pick.random() < 0.6:
            return {}
        if layer == "cities":
            return {"category": ",".join("".join(pick.choices("ABCDEFGHIJKLMNOPRSTUVZ", k=2)) for _ in range(pick.randint(1, 20)))}
        start = pick.randint(981_000_000, 993_000_000)
        return {"start": str(start), "end": str(start + pick.randint(3600, 5_000_000))} if layer == "flights" else {}

    def tile(self, layer: str) -> str:
        zoom = self.random.choices(range(11), weights=[1, 2, 3, 4, 4, 4, 4, 3, 2, 1, 1])[0]
        longitude, latitude = self.random.uniform(-125, 40), self.random.uniform(25, 60)
        column = int((longitude + 180) / 360 * 2**zoom)
        row = int((1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * 2**zoom)
        ratio = "@2x" if self.random.random() < 0.2 else ""
        parameters = self.style() | self.filter(layer)
        return f"/{layer}/{zoom}/{column}/{row}{ratio}.png?" + "&".join(f"{name}={value}" for name, value in parameters.items())

    def bounds(self) -> list[float]:
        west, south = self.random.uniform(-125, 20), self.random.uniform(25, 50)
        return [round(edge, 3) for edge in (west, south, west + self.random.uniform(1, 30), south + self.random.uniform(1, 15))]

    def step(self) -> None:
        pick = self.random
        layer = pick.choice(["cities", "cities", "flights", "earthquakes", "live"])
        kind = pick.choices(
            ["tile", "again", "query", "queried", "overlay", "picture", "points", "statistics", "grid", "legend", "read"],
            weights=[50, 8, 3, 12, 5, 5, 6, 4, 2, 3, 2],
        )[0]
        if kind == "tile":
            self.request("GET", self.tile(layer))
        elif kind == "again":
            # What several clients request alike.
            zoom = pick.randint(0, 2)
            self.request("GET", f"/{layer}/{zoom}/{pick.randrange(2**zoom)}/{pick.randrange(2**zoom)}.png")
        elif kind == "query":
            query = {"layer": "cities", "category": ["".join(pick.choices("ABCDEFG", k=2)) for _ in range(pick.randint(1, 200))]}
            if pick.random() < 0.7:
                query["bounds"] = self.bounds()
            status, reply = self.request("POST", "/queries", json.dumps(query), "application/json")
            if status == 201:
                self.queries = [json.loads(reply)["id"], *self.queries[:9]]
        elif kind == "queried" and self.queries:
            self.request("GET", self.tile(pick.choice(self.queries)))
        elif kind == "overlay":
            size = [pick.randint(100, 900), pick.randint(100, 700)]
            overlay = {"bounds": self.bounds(), "size": size, "radius": pick.randint(4, 60), "scheme": pick.choice(SCHEMES)}
            if pick.random() < 0.5:
                points = [[round(pick.uniform(-120, 40), 4), round(pick.uniform(25, 60), 4)] for _ in range(pick.randint(1, 5000))]
                overlay["points"] = points
            else:
                overlay["layer"] = layer
            status, reply = self.request("POST", "/overlays", json.dumps(overlay), "application/json")
            if status == 201:
                self.request("GET", json.loads(reply)["url"])
        elif kind == "picture":
            bounds, parameters = ",".join(map(str, self.bounds())), self.style() | self.filter(layer)
            query = "&".join(f"{name}={value}" for name, value in parameters.items())
            self.request("GET", f"/{layer}/bbox/{bounds}/{pick.randint(100, 1200)}x{pick.randint(100, 900)}.png?{query}")
        elif kind == "points":
            rows = [f"{pick.uniform(-120, 40):.5f},{pick.uniform(25, 60):.5f},{pick.randint(1, 9)}" for _ in range(pick.randint(1, 3000))]
            self.request("POST", "/live/points", "lon,lat,weight\n" + "\n".join(rows) + "\n", "text/csv")
        elif kind == "statistics":
            self.request("GET", f"/{layer}/statistics?" + "&".join(f"{name}={value}" for name, value in self.filter(layer).items()))
        elif kind == "grid":
            bounds = ",".join(map(str, self.bounds()))
            self.request("GET", f"/{layer}/grid?bounds={bounds}&resolution={pick.choice([20000, 50000, 100_000])}")
        elif kind == "legend":
            parameters = self.style()
            query = "&".join(f"{name}={value}" for name, value in parameters.items())
            self.request("GET", f"/{layer}/legend.json?zoom={pick.randint(0, 8)}&{query}")
        elif kind == "read":
            self.request("GET", f"/{layer}/points?bounds={','.join(map(str, self.bounds()))}&limit=2000")

    def run(self) -> None:
        while not self.stop.is_set():
            self.step()


def anonymous_mb(process: int) -> float:
    """The anonymous resident memory of a process in MB."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", text).group(1)) * 1024 / 1e6


def slope(samples: list[tuple[float, float]]) -> float:
    """The slope of the line through samples of minutes and MB, by least squares."""
    mean_x, mean_y = (sum(values) / len(samples) for values in zip(*samples))
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0


def start(folder: str) -> tuple[subprocess.Popen, int]:
    """Starts the server in a folder, and returns it with its port."""
    data = ROOT / "data"
    (Path(folder) / "kiln.toml").write_text(
        f"[layers.cities]\ninput = ['{data / 'cities.parquet'}']\nweight = 'population'\ncategory = 'country'\n"
        f"[layers.flights]\ninput = ['{data / 'flights.parquet'}']\n"
        f"[layers.earthquakes]\ninput = ['{data / 'earthquakes.geojson'}']\nweight = 'mag'\n"
    )
    more = os.environ.get("KILN_SERVE_ARGS", "").split()
    environment = os.environ | {"KILN_SERVER_TOKEN": TOKEN, "KILN_LOG_LEVEL": "warn"}
    command = [KILN, "serve", "-l", "127.0.0.1:0", "--store", "store", *more]
    server = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if address := re.search(r"at http://127\.0\.0\.1:(\d+)/", line):
            threading.Thread(target=lambda: [print(line, end="", flush=True) for line in server.stderr], daemon=True).start()
            return server, int(address.group(1))
        print(line, end="", file=sys.stderr)
    sys.exit(f"{KILN} serve did not start")


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in [("minutes", 30.0), ("clients", 8), ("max-mb", 200.0), ("max-slope", 0.5), ("seed", 1)]:
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = parser.parse_args()
    counts: collections.Counter = collections.Counter()
    stop = threading.Event()
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        server, port = start(folder)
        try:
            clients = [Client(port, options.seed * 1000 + number, counts, stop) for number in range(options.clients)]
            clients[0].request("PUT", "/live")
            clients[0].request("POST", "/live/points", "lon,lat,weight\n10,50,1\n", "text/csv")
            began = time.monotonic()
            for client in clients:
                client.start()
            printed = 0
            while (minutes := (time.monotonic() - began) / 60) < options.minutes:
                time.sleep(5)
                minutes = (time.monotonic() - began) / 60
                samples.append((minutes, anonymous_mb(server.pid)))
                if int(minutes) > printed:
                    printed = int(minutes)
                    print(f"{printed:3} min  {samples[-1][1]:7.1f} MB  {counts['requests']:8} requests", flush=True)
            stop.set()
            for client in clients:
                client.join(90)
        finally:
            server.terminate()
            server.wait(60)
    late = [sample for sample in samples if sample[0] >= options.minutes / 2]
    most, rise = max(mb for _, mb in late), slope(late)
    statuses = {status: count for status, count in sorted(counts.items(), key=str) if status != "requests"}
    print(f"second half: at most {most:.1f} MB, {rise:+.2f} MB/min; {counts['requests']} requests, {statuses}")
    if most > options.max_mb or rise > options.max_slope or set(statuses) - {200, 201}:
        sys.exit(f"expected at most {options.max_mb:g} MB, {options.max_slope:g} MB/min, and no errors")


if __name__ == "__main__":
    main()
