#!/usr/bin/env python3
"""Reads, publishes and serves layers in buckets of Azure and of Google.

Azure Blob Storage is Azurite, a process that is stopped and restarted. For Google Cloud Storage there is no emulator of the XML API, which
Kiln uses: its part that Kiln needs, with generations and their preconditions, is in this file, as its documentation describes it
(https://docs.cloud.google.com/storage/docs/xml-api/overview). Started by scripts/clouds.sh.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from azure.storage.blob import BlobServiceClient

ROOT = pathlib.Path(__file__).resolve().parent.parent
KILN = os.path.abspath(os.environ.get("KILN", ROOT / "target/debug/kiln"))
AZURITE = ROOT / "target/clouds/node_modules/.bin/azurite-blob"
CITIES = ROOT / "data/cities.parquet"
DAYS = {1: "lon,lat,weight\n11,51,1\n", 2: "lon,lat,weight\n12,52,2\n"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def eventually(what, condition):
    end = time.time() + 60
    while not condition():
        assert time.time() < end, what
        time.sleep(0.1)


class Azure:
    """Azurite with a container `lake`. Its account and key are those of every emulator."""

    scheme = "az"
    secret = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    wrong = {"AZURE_STORAGE_ACCOUNT_KEY": "d3Jvbmc="}
    variable = "AZURE_STORAGE_ACCOUNT_KEY"

    def __init__(self, folder):
        self.folder, self.port = folder / "azurite", free_port()
        self.start()
        self.endpoint = f"http://127.0.0.1:{self.port}/devstoreaccount1"
        self.container = BlobServiceClient(self.endpoint, credential=self.secret).create_container("lake")

    def start(self):
        command = [AZURITE, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--blobPort", str(self.port), "--location", self.folder]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        eventually("Azurite does not listen", lambda: is_listening(self.port))

    def stop(self):
        # Not SIGKILL: Azurite keeps its index in memory, and writes it to its folder at times and at its end.
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)

    def put(self, key, content):
        self.container.upload_blob(key, content)

    def environment(self):
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": "devstoreaccount1",
            "AZURE_STORAGE_ACCOUNT_KEY": self.secret,
            "AZURE_STORAGE_ENDPOINT": self.endpoint,
        }


class Google:
    """The part of the XML API that Kiln uses, with a bucket `lake`."""

    scheme = "gs"
    secret = "token-of-the-lake"
    wrong = {"GOOGLE_BEARER_TOKEN": "wrong"}
    variable = "GOOGLE_BEARER_TOKEN"

    def __init__(self, _folder):
        self.objects, self.generation, self.lock, self.port = {}, 1, threading.Lock(), free_port()
        self.start()

    def start(self):
        class Handler(XmlApi):
            bucket = self

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def put(self, key, content):
        with self.lock:
            self.generation += 1
            self.objects[key] = (content if isinstance(content, bytes) else content.encode(), self.generation)

    def environment(self):
        return {"STORAGE_EMULATOR_HOST": f"127.0.0.1:{self.port}", "GOOGLE_BEARER_TOKEN": self.secret}


class XmlApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status, code):
        self.reply(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if self.headers.get("Authorization") != f"Bearer {Google.secret}":
            return self.fail(403, "AccessDenied")
        if bucket != "lake":
            return self.fail(404, "NoSuchBucket")
        if not key:
            query = parse_qs(url.query)
            return self.list(query.get("prefix", [""])[0], query.get("delimiter", [None])[0])
        with self.bucket.lock:
            found = self.bucket.objects.get(key)
            expected = self.headers.get("x-goog-if-generation-match")
            if expected is not None and int(expected) != (found[1] if found else 0):
                return self.fail(412, "PreconditionFailed")
            if self.command == "PUT":
                self.bucket.generation += 1
                self.bucket.objects[key] = (body, self.bucket.generation)
                return self.reply(200, b"", self.described(*self.bucket.objects[key]))
            if not found:
                return self.fail(404, "NoSuchKey")
            if self.command == "DELETE":
                del self.bucket.objects[key]
                return self.reply(204)
        content, generation = found
        headers = self.described(content, generation)
        if self.headers.get("If-None-Match") == f'"{generation}"':
            return self.reply(304, b"", headers)
        if self.headers.get("If-Match", f'"{generation}"') != f'"{generation}"':
            return self.fail(412, "PreconditionFailed")
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if part:
            first, last = int(part[1]), min(int(part[2]), len(content) - 1)
            headers += [("Content-Range", f"bytes {first}-{last}/{len(content)}")]
            return self.reply(206, content[first : last + 1], headers)
        return self.reply(200, content, headers)

    do_GET = do_HEAD = do_PUT = do_DELETE = handle_request

    @staticmethod
    def described(content, generation):
        return [
            ("ETag", f'"{generation}"'),
            ("x-goog-generation", str(generation)),
            ("Last-Modified", "Tue, 01 Dec 2026 00:00:00 GMT"),
            ("Content-Type", "application/octet-stream"),
        ]

    def list(self, prefix, delimiter):
        with self.bucket.lock:
            found = {key: (len(content), generation) for key, (content, generation) in self.bucket.objects.items() if key.startswith(prefix)}
        # Keys with the delimiter after the prefix are listed as a folder.
        folders = {prefix + key[len(prefix) :].split(delimiter)[0] + delimiter for key in found if delimiter and delimiter in key[len(prefix) :]}
        entries = [f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in sorted(folders)]
        entries += [
            f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size><ETag>&quot;{generation}&quot;</ETag>"
            f"<LastModified>2026-12-01T00:00:00.000Z</LastModified></Contents>"
            for key, (size, generation) in sorted(found.items())
            if not any(key.startswith(folder) for folder in folders)
        ]
        head = f"<Name>lake</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>"
        self.reply(200, f"<ListBucketResult>{head}{''.join(entries)}</ListBucketResult>".encode())


class Server:
    """`kiln serve`, until it is stopped."""

    def __init__(self, folder, environment, *arguments):
        folder.mkdir(exist_ok=True)
        self.log = folder / "log.txt"
        with open(self.log, "w") as log:
            command = [KILN, "serve", "-l", "127.0.0.1:0", *map(str, arguments)]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log)
        eventually("the server does not listen", lambda: re.search(r" at http://[0-9.:]+", self.log.read_text()))
        self.url = re.search(r" at (http://[0-9.:]+)", self.log.read_text())[1]

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def points(self, layer):
        status, body = self.get(f"/{layer}/statistics?zoom=0")
        return int(re.search(rb'"points":(\d+)', body)[1]) if status == 200 else None

    def stop(self):
        """Stops the server, if it runs, and returns its exit code."""
        self.process.terminate()
        return self.process.wait(30)


class Buckets:
    """The tests, for both clouds."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="kiln-clouds-"))
        cls.cloud = cls.kind(cls.folder)
        clean = {name: value for name, value in os.environ.items() if not re.match("(AWS|AZURE|GOOGLE|STORAGE|KILN)_?", name)}
        cls.variables = {**clean, **cls.cloud.environment()}
        cls.cloud.put("cities.parquet", CITIES.read_bytes())
        for day, text in DAYS.items():
            cls.cloud.put(f"trips/day=2026-11-0{day}/part 1.csv", text)

    @classmethod
    def tearDownClass(cls):
        cls.cloud.stop()
        shutil.rmtree(cls.folder)

    def url(self, key):
        return f"{self.cloud.scheme}://lake/{key}"

    def kiln(self, *arguments, code=0, **variables):
        """Runs a command, and returns what it has printed, which must not have a secret."""
        run = subprocess.run([KILN, *map(str, arguments)], cwd=self.folder, env={**self.variables, **variables}, capture_output=True, text=True, timeout=120)
        printed = run.stdout + run.stderr
        self.assertEqual(run.returncode, code, printed)
        self.assertNotIn(self.cloud.secret, printed)
        return printed

    def server(self, name, *arguments):
        server = Server(self.folder / name, self.variables, *arguments)
        self.addCleanup(server.stop)
        return server

    def test_files_are_inputs(self):
        self.kiln("render", CITIES, "--weight", "population", "-o", "local.png")
        self.kiln("render", self.url("cities.parquet"), "--weight", "population", "-o", "remote.png")
        self.assertEqual((self.folder / "local.png").read_bytes(), (self.folder / "remote.png").read_bytes())
        self.assertIn("added 2 points", self.kiln("import", self.url("trips/*/*.csv"), "--layer", "days", "--store", "inputs"))
        self.assertIn("added 1 point ", self.kiln("import", self.url("trips/day=2026-11-02/"), "--layer", "day", "--store", "inputs"))

    def test_errors_name_the_container_and_the_variable_of_the_credentials(self):
        elsewhere = f"{self.cloud.scheme}://nolake/cities.parquet"
        self.assertIn("nolake does not exist", self.kiln("render", elsewhere, "-o", "x.png", code=1))
        self.assertIn("does not exist", self.kiln("render", self.url("nothing.parquet"), "-o", "x.png", code=1))
        for command in (["render", self.url("cities.parquet"), "-o", "x.png"], ["publish", "--store", "denied", "--to", self.url("denied")]):
            if command[0] == "publish":
                self.kiln("import", CITIES, "--layer", "cities", "--store", "denied")
            printed = self.kiln(*command, code=1, **self.cloud.wrong)
            self.assertIn("access denied", printed)
            self.assertIn(self.cloud.variable, printed)
        self.assertFalse((self.folder / "x.png").exists())

    def test_a_publication_replaces_what_it_has_read_only(self):
        maps = self.url("compared")
        for store in ("first", "second"):
            self.kiln("import", CITIES, "--layer", "cities", "--weight", "population", "--store", store)
        self.assertIn("published version", self.kiln("publish", "--store", "first", "--to", maps))
        self.assertIn("is published already", self.kiln("publish", "--store", "first", "--to", maps))
        self.assertIn("cities", self.kiln("publish", "--store", "second", "--to", maps, code=1))
        # Publishers at once: one of them publishes, and the others find its version or are refused.
        (self.folder / "more.csv").write_text("lon,lat,population\n1,2,3\n")
        self.kiln("import", "more.csv", "--layer", "cities", "--weight", "population", "--append", "--store", "first")
        command = [KILN, "publish", "--store", "first", "--to", maps]
        runs = [subprocess.Popen(command, cwd=self.folder, env=self.variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(4)]
        printed = [run.communicate(timeout=120)[0] for run in runs]
        self.assertGreaterEqual(sum("published version" in text for text in printed), 1, printed)
        self.assertTrue(all(re.search("published version|is published already|another", text) for text in printed), printed)
        self.assertIn("is published already", self.kiln("publish", "--store", "first", "--to", maps))

    def test_replicas_serve_the_bytes_of_the_writer_also_while_the_bucket_is_away(self):
        maps = self.url("maps")
        self.kiln("import", CITIES, "--layer", "cities", "--weight", "population", "--store", "store")
        self.kiln("publish", "--store", "store", "--to", maps)
        writer = self.server("writer", "--store", self.folder / "store")
        (self.folder / "replica").mkdir()
        (self.folder / "replica/kiln.toml").write_text('[store]\nrefresh = "1s"\n')
        replica = self.server("replica", "--store", maps, "--cache", "cache")
        eventually("the replica is not ready", lambda: replica.get("/health?ready")[0] == 200)
        tiles = [f"/cities/{z}/{x}/{y}.png?radius=25" for z, x, y in ((0, 0, 0), (3, 4, 2), (5, 17, 10), (7, 68, 43))]
        for tile in tiles:
            self.assertEqual(writer.get(tile), replica.get(tile))
            self.assertEqual(replica.get(tile)[0], 200)
        before = replica.points("cities")
        (self.folder / "more.csv").write_text("lon,lat,population\n1,2,3\n4,5,6\n")
        more = ["import", "more.csv", "--layer", "cities", "--weight", "population", "--append", "--store", "store"]
        self.kiln(*more)
        self.kiln("publish", "--store", "store", "--to", maps)
        eventually("the new version is not served", lambda: replica.points("cities") == before + 2)
        self.cloud.stop()
        time.sleep(3)
        for tile in tiles:
            self.assertEqual(replica.get(tile)[0], 200)
        self.assertEqual(replica.get("/health?ready")[0], 200)
        self.assertIn("cannot", self.kiln("publish", "--store", "store", "--to", maps, code=1))
        self.cloud.start()
        self.kiln(*more)
        self.kiln("publish", "--store", "store", "--to", maps)
        eventually("the version after the outage is not served", lambda: replica.points("cities") == before + 4)
        self.assertEqual([writer.stop(), replica.stop()], [0, 0])
        log = replica.log.read_text()
        self.assertNotIn(self.cloud.secret, log)
        self.assertIn("bucket", log)


class AzureTests(Buckets, unittest.TestCase):
    kind = Azure


class GoogleTests(Buckets, unittest.TestCase):
    kind = Google


if __name__ == "__main__":
    unittest.main(verbosity=2)
