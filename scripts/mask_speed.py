#!/usr/bin/env python3
"""Compares the time from a 4096 × 4096 float32 mask to a PNG with OpenCV's, on one thread each, in one run.

cargo build --release -p kiln-mask --example speed
target/readers/bin/python scripts/mask_speed.py
"""

import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 7


def median_ms(work) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)[ROUNDS // 2]


def colored(mask: np.ndarray) -> np.ndarray:
    vmin, vmax = np.nanmin(mask), np.nanmax(mask)
    levels = ((mask - vmin) / (vmax - vmin) * 255).astype(np.uint8)
    return cv2.applyColorMap(cv2.GaussianBlur(levels, (5, 5), 0), cv2.COLORMAP_JET)


def main() -> None:
    cv2.setNumThreads(1)
    for side in (4096, 1024):
        rows, columns = np.mgrid[:side, :side].astype(np.float32) / side
        mask = np.sin(columns * 9) + np.sin(rows * 7)
        print(f"{side} × {side}")
        print(f"  OpenCV {cv2.__version__}, picture only: {median_ms(lambda: colored(mask)):.1f} ms")
        for name, level in [("default", []), ("level 1", [cv2.IMWRITE_PNG_COMPRESSION, 1])]:
            took = median_ms(lambda: cv2.imencode(".png", colored(mask), level))
            size = cv2.imencode(".png", colored(mask), level)[1].size
            print(f"  OpenCV, PNG at {name}: {took:.1f} ms, {size:,} bytes")
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/mask.npy", mask)
            speed = ROOT / "target/release/examples/speed"
            out = subprocess.check_output([speed, f"{folder}/mask.npy", str(ROUNDS)], text=True)
        print("  Kiln: " + ", ".join(out.split("\n")).strip(", "))


if __name__ == "__main__":
    main()
