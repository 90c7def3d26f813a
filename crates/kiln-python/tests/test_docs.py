"""The programs of the user guide, and the type stubs."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import kiln
import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = ["docs/python.md", "docs/coming-from/python-heatmap.md"]


def programs(page: str) -> list[str]:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    # That of the library itself is on the same page.
    return [block for block in blocks if not re.search(r"^import (heatmap|datashader)", block, re.M)]


@pytest.mark.parametrize("page", PAGES)
def test_the_programs_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text("lon,lat,fare\n18.07,59.33,2\n18.09,59.32,1\n17.64,59.86,4\n")
    names: dict[str, object] = {}
    assert programs(page)
    for number, block in enumerate(programs(page), 1):
        exec(compile(block, f"{page}, program {number}", "exec"), names)
    shutil.rmtree(tmp_path / "imgs", ignore_errors=True)


def test_the_stubs_have_the_names_of_the_module():
    package = Path(kiln.__file__).parent
    stub = ast.parse((package / "_kiln.pyi").read_text())
    named = {node.name: node for node in stub.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    public = {name for name in dir(kiln._kiln) if not name.startswith("__")}
    assert set(named) == public
    for name, node in named.items():
        if isinstance(node, ast.ClassDef):
            members = {child.name for child in node.body if isinstance(child, ast.FunctionDef)}
            known = {member for member in vars(getattr(kiln._kiln, name)) if not member.startswith("__")}
            assert members - {"__array__"} == known, name
    assert (package / "py.typed").exists()


def test_the_types_of_keywords_are_those_of_the_parameters():
    from kiln._points import ROLES
    from kiln._typing import RowsAndView

    assert {*RowsAndView.__annotations__, *ROLES} == {name for name, _ in kiln.keywords()}


CHECKED = """
import kiln
kiln.render("a.csv", radius="10km").density().mean()
kiln.render("a.csv", radios=5)
kiln.Layer([1.0], [2.0]).tile(1, 2, 3, curve="cubic")
"""


def test_type_checkers_find_misspelled_keywords_and_accept_the_package(tmp_path):
    (tmp_path / "program.py").write_text(CHECKED)
    mypy = [sys.executable, "-m", "mypy", "--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*mypy, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 2, done.stdout
    assert 'program.py:4: error: Unexpected keyword argument "radios"' in errors[0]
    assert 'program.py:5: error: Argument "curve"' in errors[1]
    done = subprocess.run([*mypy, "-p", "kiln"], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout


def test_every_name_of_the_package_can_be_imported():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(getattr(kiln, name) is not None for name in dir(kiln))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = kiln.nothing
