"""The command `kiln`, which runs in the process of Python."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command with the arguments of the process, and returns its exit code."""
    from ._kiln import run_command

    return run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
