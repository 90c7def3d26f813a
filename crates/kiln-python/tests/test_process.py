"""The command, imports and signals, each in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import kiln


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, **options)


def command() -> str:
    found = shutil.which("kiln", path=str(Path(sys.executable).parent))
    assert found, "the wheel installs the command kiln"
    return found


def test_the_command_is_that_of_the_package():
    assert run(command(), "--version").stdout == f"kiln {kiln.__version__}\n"
    assert run(sys.executable, "-m", "kiln", "--version").stdout == f"kiln {kiln.__version__}\n"


def test_the_command_renders_a_file(tmp_path, root):
    done = run(command(), "render", str(root / "data/cities.parquet"), "-o", str(tmp_path / "cities.png"))
    assert done.returncode == 0 and "drew" in done.stderr
    assert (tmp_path / "cities.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_has_the_exit_codes_and_messages_of_the_binary(tmp_path):
    assert run(command(), "render", "missing.csv", "-o", str(tmp_path / "a.png")).returncode == 1
    misspelled = run(command(), "rendr")
    assert misspelled.returncode == 2 and misspelled.stderr.startswith("kiln: ") and "did you mean render?" in misspelled.stderr
    assert "did you mean --radius?" in run(command(), "render", "a.csv", "-o", "b.png", "--radios", "5").stderr


def test_the_output_of_the_command_is_complete_in_a_pipe():
    schema = run(command(), "config", "--schema").stdout
    assert schema.startswith("{") and schema.endswith("}\n")


def test_an_import_loads_no_other_package():
    code = "import sys, kiln; print([name for name in ('numpy', 'PIL', 'anywidget', 'folium') if name in sys.modules])"
    assert run(sys.executable, "-c", code).stdout == "[]\n"


SLOW = """
import os, signal, sys, threading, time
import numpy as np, kiln
random = np.random.default_rng(1)
lon, lat = random.uniform(-180, 180, 300_000), random.uniform(-80, 80, 300_000)
main = threading.get_ident()
def interrupt():
    while sys._current_frames()[main].f_code.co_filename != kiln._render.__file__:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    kiln.render(lon, lat, bounds="world", size=(9_900, 9_900), blend="classic", dot_size=16_000, threads=1)
    print("rendered")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_cancels_a_picture_and_other_threads_run_meanwhile():
    # The thread that interrupts is one of Python: it runs only because the lock of the interpreter is released.
    done = run(sys.executable, "-c", SLOW)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
