#!/usr/bin/env python3
"""Writes schemes/opencv/NAME.txt: the table of each OpenCV colormap, read from OpenCV itself.

Needs opencv-python-headless, which scripts/readers.sh installs: target/readers/bin/python scripts/opencv_colormaps.py
"""

from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "schemes" / "opencv"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    maps = {
        number: name.removeprefix("COLORMAP_").lower()
        for name, number in vars(cv2).items()
        if name.startswith("COLORMAP_")
    }
    levels = np.arange(256, dtype=np.uint8).reshape(256, 1)
    for number, name in sorted(maps.items()):
        rgb = cv2.applyColorMap(levels, number)[:, 0, ::-1]
        lines = [
            f"// {name}: OpenCV's colormap {number}, COLORMAP_{name.upper()}. Apache-2.0, see README.md.",
            "order: cold-first",
            *(f"{r} {g} {b}" for r, g, b in rgb.tolist()),
        ]
        (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
