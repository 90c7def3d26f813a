#!/usr/bin/env python3
"""Compares bins that `kiln bins sql` has summed in other engines with those of Kiln: every cell, n, weight and max_weight.

ClickHouse (chdb) runs the SELECT. A Spark standalone cluster of processes (a master, two workers of one core, Spark Connect)
runs the program of --format pyspark: by spark-submit, over Connect, with an executor killed by SIGKILL in the middle of the
job, and with the driver killed in the middle of the write. Prints one line per check; the exit code is 1 if one fails.

Started by scripts/spark.sh. KILN_BINS_POINTS: the number of random points, 1000000 by default.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import chdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
KILN = os.path.abspath(os.environ.get("KILN", ROOT / "target/debug/kiln"))
POINTS = int(os.environ.pop("KILN_BINS_POINTS", 1_000_000))  # kiln rejects unknown variables
ZOOMS = [0, 4, 8, 12, 16]
ZOOM_OF_JOBS = 12
failures = 0


def check(name, is_ok, detail, start):
    global failures
    failures += not is_ok
    print(f"{'ok    ' if is_ok else 'FAILED'} {name}: {detail} ({time.time() - start:.1f} s)", flush=True)


def kiln(folder, *arguments):
    run = subprocess.run([KILN, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr.strip())
    return run.stdout


def write_points(folder):
    """Random points in 16 files, so that a job has several tasks; every third point is in a town.

    Sums of the weights, of 24 bits each and at least 1, are exact up to 2^29, and so independent of the order.
    """
    random = np.random.default_rng(22)
    folder.mkdir()
    for part in range(16):
        n = POINTS // 16
        town = np.arange(n) % 3 == 0
        lon = np.where(town, 18 + random.random(n) * 0.05, random.random(n) * 360 - 180)
        lat = np.where(town, 59.3 + random.random(n) * 0.05, np.degrees(np.arcsin(random.random(n) * 1.992 - 0.996)))
        times = pa.array((random.random(n) * 1.2e15 - 1.5e14).astype(np.int64), pa.timestamp("us", "UTC"))
        kinds = np.array(["bus", " tram ", ""])[random.integers(0, 3, n)]
        table = pa.table({"lon": lon, "lat": lat, "fare": 1 + random.random(n) * 500, "at": times, "kind": kinds})
        pq.write_table(table, folder / f"{part:02}.parquet")


def stored_table(folder, layer):
    """The points of a stored layer, as docs/store.md reads them."""
    folder = folder / "store" / layer
    segments = json.loads((folder / "manifest.json").read_text())["layer"]["segments"]
    tables = [pa.ipc.open_file(str(folder / f"{segment['id']:08}.points.arrow")).read_all() for segment in segments]
    return pa.concat_tables(tables, promote_options="default")


def stored(folder, layer):
    points = stored_table(folder, layer)
    return [points[name].to_numpy() for name in ("x", "y", "weight")]


def grouped(cells, n, weight, maximum):
    order = np.argsort(cells, kind="stable")
    cells, first = np.unique(cells[order], return_index=True)
    sums = [np.add.reduceat(values[order], first) for values in (n, weight.astype(np.float64))]
    return cells, sums[0], sums[1], np.maximum.reduceat(maximum[order], first)


def of_layer(points, zoom):
    x, y, weight = points
    shift = np.uint64(32 - zoom - 8)
    cells = (x.astype(np.uint64) >> shift) << np.uint64(32) | y.astype(np.uint64) >> shift
    return grouped(cells, np.ones(len(x), np.int64), weight, weight)


def of_table(table, zoom):
    columns = {name: table[name].to_numpy() for name in table.column_names}
    assert (columns["level"] == zoom + 8).all()
    cells = columns["cell_x"].astype(np.uint64) << np.uint64(32) | columns["cell_y"].astype(np.uint64)
    found = grouped(cells, columns["n"].astype(np.int64), columns["weight"], columns["max_weight"].astype(np.float32))
    return found, len(cells) - len(found[0])


def compare(name, table, points, zoom, start):
    """Compares a table of bins with a layer."""
    expected = of_layer(points, zoom)
    found, twice = of_table(table, zoom)
    both, left, right = np.intersect1d(expected[0], found[0], return_indices=True)
    missing, many = len(expected[0]) - len(both), len(found[0]) - len(both)
    differing = [int((one[left] != other[right]).sum()) for one, other in zip(expected[1:], found[1:])]
    is_ok = not (missing or many or twice or any(differing))
    words = f"{len(expected[0])} cells: {missing} missing, {many + twice} too many; n of {differing[0]}, weight of {differing[1]}, max of {differing[2]} differ"
    check(name, is_ok, words, start)


def read(folder):
    return pa.concat_tables(pq.read_table(file) for file in sorted(Path(folder).glob("part-*.parquet")))


def clickhouse(home, layers):
    for layer, (points, options) in layers.items():
        for zoom in ZOOMS:
            start = time.time()
            output = home / f"{layer}-{zoom}.parquet"
            statement = kiln(home, "bins", "sql", "--engine", "clickhouse", *options, "--zoom", zoom, "--to", output)
            chdb.query(statement, "Null")
            compare(f"clickhouse {layer} zoom {zoom}", pq.read_table(output), points, zoom, start)


def clickhouse_groups(home, options, zoom=4):
    """Bins by category and by time, also of times before 1970."""
    points = stored_table(home, "trips")
    cells = {name: pa.array(points[key].to_numpy() >> np.uint32(32 - zoom - 8), pa.int32()) for name, key in (("cell_x", "x"), ("cell_y", "y"))}
    category = pc.cast(points["category"], pa.string())
    groups = {"category": (["--category", "kind"], "category", category)}
    for every, unit in ("1d", "day"), ("1w", "week"), ("1mo", "month"), ("1y", "year"):
        start = pc.floor_temporal(pc.cast(points["time"], pa.timestamp("us", "UTC")), unit=unit)
        groups[every] = (["--time", "at", "--every", every], "time", start)
    for name, (flags, key, values) in groups.items():
        start = time.time()
        output = home / f"groups-{name}.parquet"
        statement = kiln(home, "bins", "sql", "--engine", "clickhouse", *options, *flags, "--zoom", zoom, "--to", output)
        chdb.query(statement, "Null")
        keys = ["cell_x", "cell_y", key]
        expected = pa.table(cells | {key: values}).group_by(keys).aggregate([([], "count_all")]).rename_columns([*keys, "n"])
        found = pq.read_table(output, columns=[*keys, "n"]).cast(expected.schema)
        order = [(column, "ascending") for column in keys]
        is_same = expected.sort_by(order).combine_chunks().equals(found.sort_by(order).combine_chunks())
        check(f"clickhouse trips by {name}", is_same, f"{expected.num_rows} bins, {found.num_rows} found", start)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cluster:
    """A Spark standalone cluster on this machine, each part a process in a session of its own."""

    def __init__(self, home):
        import pyspark

        self.home, self.parts = home, []
        self.spark = Path(pyspark.__file__).parent
        self.env = os.environ | {
            "SPARK_HOME": str(self.spark), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1",
            "SPARK_LOG_DIR": str(home / "log"), "PYSPARK_PYTHON": sys.executable,
        }
        self.port, self.connect = free_port(), free_port()
        self.url = f"spark://127.0.0.1:{self.port}"
        launch = self.spark / "bin/spark-class"
        worker = "org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --cores 1 --memory 2g --webui-port 0 --work-dir"
        self.start("master", launch, *f"org.apache.spark.deploy.master.Master --host 127.0.0.1 --port {self.port} --webui-port {free_port()}".split())
        for name in "worker-1", "worker-2":
            self.start(name, launch, *worker.split(), home / name, self.url)

    def start_connect(self):
        conf = {"spark.connect.grpc.binding.port": self.connect, "spark.connect.grpc.binding.address": "127.0.0.1", **CONF, "spark.ui.enabled": "false"}
        options = [text for entry in conf.items() for text in ("--conf", "{}={}".format(*entry))]
        server = self.start("connect-server", self.spark / "sbin/start-connect-server.sh", "--master", self.url, *options)
        deadline = time.time() + 180
        while socket.socket().connect_ex(("127.0.0.1", self.connect)):
            assert server.poll() is None and time.time() < deadline, (self.home / "connect-server.log").read_text()[-2000:]
            time.sleep(0.5)
        return server

    def start(self, name, *command):
        with open(self.home / f"{name}.log", "w") as log:
            process = subprocess.Popen([*map(str, command)], env=self.env, stdout=log, stderr=log, start_new_session=True)
        self.parts.append(process)
        return process

    def submit(self, name, program, run, ui):
        """Starts spark-submit of the program."""
        conf = CONF | {"spark.ui.port": ui, "spark.ui.showConsoleProgress": "false"}
        options = [text for entry in conf.items() for text in ("--conf", "{}={}".format(*entry))]
        return self.start(name, self.spark / "bin/spark-submit", "--master", self.url, *options, program, "--run", run)

    def log(self, name):
        return (self.home / f"{name}.log").read_text()

    def stop(self):
        for process in reversed(self.parts):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


CONF = {
    "spark.executor.memory": "1g", "spark.executor.cores": 1, "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": 16, "spark.sql.adaptive.coalescePartitions.enabled": "false",
    "spark.driver.host": "127.0.0.1",
}


def poll(what, found, process, seconds=300):
    deadline = time.time() + seconds
    while process.poll() is None:
        if time.time() > deadline:
            raise SystemExit(f"no {what} after {seconds} s")
        if result := found():
            return result
        time.sleep(0.02)
    raise SystemExit(f"the job ended before {what}")


def active_tasks(ui):
    """The id of the application, once an executor has active tasks."""
    try:
        root = f"http://127.0.0.1:{ui}/api/v1/applications"
        application = json.load(urllib.request.urlopen(root, timeout=2))[0]["id"]
        executors = json.load(urllib.request.urlopen(f"{root}/{application}/executors", timeout=2))
        done = sum(executor["completedTasks"] for executor in executors)
        active = any(executor["activeTasks"] and executor["id"] != "driver" for executor in executors)
        return application if active and done >= 2 else None
    except (OSError, IndexError, ValueError):
        return None


def executors_of(application):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if any("CoarseGrainedExecutorBackend" in word for word in words) and application in words:
            found.append(int(folder.name))
    return found


def spark(home, points, options):
    program, bins = home / "bins.py", home / "bins"
    arguments = ["bins", "sql", "--format", "pyspark", *options, "--zoom", ZOOM_OF_JOBS, "--to", bins]
    program.write_text(kiln(home, *arguments))
    cluster = Cluster(home)
    ui = free_port()
    run = lambda name: bins / f"run={name}"

    def finish(name, title, process, start):
        code = process.wait()
        is_complete = (run(name) / "_SUCCESS").exists()
        if code or not is_complete:
            return check(title, False, f"exit code {code}: {cluster.log(name)[-1500:]}", start)
        totals = json.loads((run(name) / "totals.json").read_text())
        table = read(run(name))
        files = len(list(run(name).glob("part-*.parquet")))
        is_right = totals == {"level": ZOOM_OF_JOBS + 8, "n": sum(table["n"].to_pylist()), "rows": table.num_rows, "files": files}
        check(f"{title}: totals.json", is_right, json.dumps(totals), start)
        compare(title, table, points, ZOOM_OF_JOBS, start)

    try:
        start = time.time()
        finish("submit", "spark-submit", cluster.submit("submit", program, "submit", free_port()), start)

        start = time.time()
        process = cluster.submit("executor", program, "executor", ui)
        application = poll("active task", lambda: active_tasks(ui), process)
        victim = executors_of(application)[0]
        os.kill(victim, signal.SIGKILL)
        check("an executor was killed by SIGKILL", process.poll() is None, f"process {victim}, {time.time() - start:.1f} s after the start", start)
        finish("executor", "spark-submit with a killed executor", process, start)
        lost = re.search(r"Lost executor \d+|Executor .* EXITED|exited with code 137", cluster.log("executor"))
        check("Spark reported the lost executor", bool(lost), lost.group() if lost else "no such message", start)

        start = time.time()
        process = cluster.submit("driver", program, "driver", free_port())
        writing = lambda: next(run("driver").glob("_temporary/**/*.parquet"), None)
        file = poll("file that is being written", writing, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        left = sorted(path.name for path in run("driver").iterdir())
        is_incomplete = "_SUCCESS" not in left and "totals.json" not in left
        check("the driver was killed by SIGKILL while it wrote", is_incomplete, f"{file.name[:10]}… existed; the run has {left}", start)
        start = time.time()
        finish("again", "spark-submit after the killed driver", cluster.submit("again", program, "again", free_port()), start)

        start = time.time()
        cluster.start_connect()
        command = [sys.executable, program, "--remote", f"sc://127.0.0.1:{cluster.connect}", "--run", "connect"]
        finish("connect", "Spark Connect", cluster.start("connect", *command), start)
    finally:
        cluster.stop()


def main():
    start = time.time()
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        write_points(home / "trips")
        cities = ROOT / "data/cities.parquet"
        kiln(home, "import", *sorted((home / "trips").glob("*.parquet")), "--layer", "trips", *"--weight fare --time at --category-column kind -q".split())
        kiln(home, "import", cities, "--layer", "cities", "--weight", "population", "-q")
        layers = {
            "cities": (stored(home, "cities"), ["--table", cities, "--lon", "longitude", "--lat", "latitude", "--weight", "population"]),
            "trips": (stored(home, "trips"), ["--table", f"{home}/trips/*.parquet", "--weight", "fare"]),
        }
        check("points", True, f"{len(layers['trips'][0][0])} random points, {len(layers['cities'][0][0])} cities", start)
        clickhouse(home, layers)
        clickhouse_groups(home, layers["trips"][1][:2])
        spark(home, *layers["trips"])
    print(f"{failures} failed, in {time.time() - start:.0f} s")
    sys.exit(min(failures, 1))


main()
