#!/usr/bin/env python3
"""Rejects dependencies that deny.toml does not allow, by license, name or registry.

It needs no network and no cargo-deny, so that `make check` can run it anywhere. Advisories need both: `make audit`.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def is_allowed(expression: str, licenses: set[str]) -> bool:
    """Whether an SPDX expression can be met: every AND-part by at least one of its OR-parts."""
    expression = expression.replace("/", " OR ")
    tokens = re.findall(r"\(|\)|[^()\s]+", expression)

    def either(at: int) -> tuple[bool, int]:
        met, at = both(at)
        while at < len(tokens) and tokens[at] == "OR":
            more, at = both(at + 1)
            met = met or more
        return met, at

    def both(at: int) -> tuple[bool, int]:
        met, at = one(at)
        while at < len(tokens) and tokens[at] == "AND":
            more, at = one(at + 1)
            met = met and more
        return met, at

    def one(at: int) -> tuple[bool, int]:
        if tokens[at] == "(":
            met, at = either(at + 1)
            return met, at + 1
        name, at = tokens[at], at + 1
        if at < len(tokens) and tokens[at] == "WITH":
            name, at = f"{name} WITH {tokens[at + 1]}", at + 2
        return name in licenses, at

    return either(0)[0]


def main() -> int:
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    licenses = set(rules["licenses"]["allow"])
    banned = {ban["crate"]: ban["reason"] for ban in rules["bans"]["deny"]}
    registries = {f"registry+{url}" for url in rules["sources"]["allow-registry"]}
    metadata = json.loads(
        subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--locked"], cwd=ROOT)
    )
    packages = [package for package in metadata["packages"] if package["source"]]
    rejected = []
    for package in packages:
        if not is_allowed(package["license"] or "none", licenses):
            rejected.append((package, f"license {package['license']}"))
        if package["name"] in banned:
            rejected.append((package, banned[package["name"]]))
        if package["source"] not in registries:
            rejected.append((package, f"source {package['source']}"))
    for package, reason in rejected:
        print(f"{package['name']} {package['version']}: {reason}", file=sys.stderr)
    print(f"dependencies: {len(packages)} checked, {len(rejected)} rejected")
    return 1 if rejected or not packages else 0


if __name__ == "__main__":
    sys.exit(main())
