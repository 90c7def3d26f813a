#!/usr/bin/env python3
"""A heat map of the world by datashader: datashader_png.py POINTS PNG

Draws what `kiln render POINTS --bounds world --size 1024` draws: the weights in 1024 × 1024 pixels of Web Mercator, a Gaussian of
radius 20 px (σ = 20/3 px), linear colors up to the 99th percentile. datashader has no kernel; the blur is OpenCV's.
"""

import math
import sys

import cv2
import datashader
import numpy as np
from datashader import transfer_functions
from datashader.utils import lnglat_to_meters

from table import read

SIZE, SIGMA_PX = 1024, 20 / 3
HALF_M = math.pi * 6_378_137
COLORS = ["#00008b", "#1e90ff", "#00ff7f", "#ffff00", "#ff4500", "#ffffff"]

source, target = sys.argv[1:]
frame = read(source).to_pandas()
frame["x"], frame["y"] = lnglat_to_meters(frame["lon"], frame["lat"])
canvas = datashader.Canvas(SIZE, SIZE, x_range=(-HALF_M, HALF_M), y_range=(-HALF_M, HALF_M))
heat = canvas.points(frame, "x", "y", datashader.sum("weight"))
values = np.nan_to_num(heat.values).astype(np.float32)
values = cv2.GaussianBlur(values, (0, 0), SIGMA_PX, borderType=cv2.BORDER_CONSTANT)
values[values < 1e-6] = np.nan
heat.values = values
span = (0, float(np.nanpercentile(values, 99)))
transfer_functions.shade(heat, cmap=COLORS, how="linear", span=span).to_pil().save(target)
