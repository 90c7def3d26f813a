#!/usr/bin/env python3
"""Refuses dependencies whose license is not one of those that may be shipped with Kiln."""

import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC",
    "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}


def is_allowed(expression: str) -> bool:
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
        return name in ALLOWED, at

    return either(0)[0]


def main() -> int:
    metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--locked"]))
    packages = [package for package in metadata["packages"] if package["source"]]
    refused = [package for package in packages if not is_allowed(package["license"] or "none")]
    for package in refused:
        print(f"{package['name']} {package['version']}: {package['license']}", file=sys.stderr)
    print(f"licenses: {len(packages)} dependencies, {len(refused)} refused")
    return 1 if refused or not packages else 0


if __name__ == "__main__":
    sys.exit(main())
