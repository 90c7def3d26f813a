#!/usr/bin/env python3
"""A heat map of the world by numba and OpenCV, as an expert would write it: numba_png.py POINTS PNG

Draws what `kiln render POINTS --bounds world --size 1024` draws: the weights in 1024 × 1024 pixels of Web Mercator, a Gaussian of
radius 20 px (σ = 20/3 px), linear colors up to the 99th percentile, an indexed PNG. The compiled function is cached on disk by
numba; run it once before measuring.
"""

import math
import os
import sys

import cv2
import numba
import numpy as np
from PIL import Image

from table import read

SIZE, SIGMA_PX = 1024, 20 / 3


@numba.njit(parallel=True, fastmath=True, cache=True)
def sums(lon, lat, weight, size, threads):
    """The weights per pixel, each thread with a grid of its own."""
    grids = np.zeros((threads, size, size), np.float32)
    chunk = (len(lon) + threads - 1) // threads
    for thread in numba.prange(threads):
        grid = grids[thread]
        for i in range(thread * chunk, min(len(lon), (thread + 1) * chunk)):
            sine = math.sin(math.radians(lat[i]))
            x = int((lon[i] + 180) / 360 * size)
            y = int((0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * size)
            if 0 <= x < size and 0 <= y < size:
                grid[y, x] += weight[i]
    return grids.sum(axis=0)


def palette():
    """256 colors from transparent blue to white, and their opacities."""
    at = np.linspace(0, 1, 256)
    stops = [0, 0.2, 0.4, 0.6, 0.8, 1]
    channels = [[0, 30, 0, 255, 255, 255], [0, 144, 255, 255, 69, 255], [139, 255, 127, 0, 0, 255]]
    colors = np.stack([np.interp(at, stops, channel) for channel in channels], axis=1).astype(np.uint8)
    return colors.tobytes(), bytes([0] + [255] * 255)


source, target = sys.argv[1:]
table = read(source)
lon, lat, weight = (table[name].to_numpy() for name in ("lon", "lat", "weight"))
heat = sums(lon, lat, weight, SIZE, os.cpu_count())
heat = cv2.GaussianBlur(heat, (0, 0), SIGMA_PX, borderType=cv2.BORDER_CONSTANT)
top = np.percentile(heat[heat > 1e-6], 99)
picture = Image.fromarray(cv2.convertScaleAbs(heat, alpha=255 / top), "P")
colors, opacities = palette()
picture.putpalette(colors)
picture.save(target, transparency=opacities, compress_level=1)
