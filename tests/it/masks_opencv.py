"""Random masks and what OpenCV makes of them: arrays, backgrounds and pictures in the current folder, and a list of cases."""

import json
import sys

import cv2
import numpy as np

CASES = 300
DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]

random = np.random.default_rng(16)


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Noise, a smooth bump, or few levels; in the range of the type."""
    kind = random.integers(3)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    bump = np.exp(-((rows / shape[0] - 0.4) ** 2 + (columns / shape[1] - 0.6) ** 2) * 9)
    base = [random.random(shape[:2]), bump, random.integers(0, 4, shape[:2]) / 3][kind]
    if len(shape) == 3:
        base = base[..., None] * random.random(shape[2])
    kind = np.dtype(dtype).kind
    if kind == "b":
        return base > 0.5
    if kind == "f":
        return (base * 200 - 70).astype(dtype)
    info = np.iinfo(dtype)
    low, high = max(info.min, -(10**9)), min(info.max, 10**9)
    return (low + base * (high - low)).astype(dtype)


def case(number: int) -> dict:
    dtype = DTYPES[number % len(DTYPES)]
    rows, columns = (int(side) for side in random.integers(1, 90, 2))
    channels = int(random.integers(2, 5)) if random.random() < 0.25 else None
    mask = values((rows, columns) if channels is None else (rows, columns, channels), dtype)
    file = f"{number}.npy"
    if channels is None and dtype in ("u1", "u2", "f4", "f8") and random.random() < 0.5:
        file = f"{number}.tif" if dtype[0] == "f" or random.random() < 0.5 else f"{number}.png"
        cv2.imwrite(file, mask)
    else:
        stored = mask.astype(np.dtype(dtype).newbyteorder(random.choice(["<", ">"])))
        np.save(file, np.asfortranarray(stored) if random.random() < 0.5 else stored)

    gray = mask.astype(np.float64)
    gray = gray.mean(axis=-1) if channels else gray
    vmin, vmax = gray.min(), gray.max()
    given = bool(random.random() < 0.4) and vmin < vmax
    if given:
        vmin, vmax = vmin + (vmax - vmin) * 0.125, vmax - (vmax - vmin) * 0.25
    if vmin < vmax:
        levels = np.clip((gray - vmin) / (vmax - vmin) * 255, 0, 255).astype(np.uint8)
    else:
        levels = np.full((rows, columns), 128, np.uint8)

    blur = ["gaussian", "median", "box", "none"][number % 4]
    width, height = (int(side) * 2 + 1 for side in random.integers(0, 16 if number % 3 == 0 else 5, 2))
    height = width if blur == "median" else height
    if blur == "gaussian":
        levels = cv2.GaussianBlur(levels, (width, height), 0)
    elif blur == "median":
        levels = cv2.medianBlur(levels, width)
    elif blur == "box":
        levels = cv2.blur(levels, (width, height))

    colormap, opacity = number % 22, int(random.integers(0, 101))
    heat = cv2.applyColorMap(levels, colormap)
    background = random.integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    cv2.imwrite(f"{number}.background.png", background)
    picture = cv2.addWeighted(heat, opacity / 100, background, 1 - opacity / 100, 0)
    cv2.imwrite(f"{number}.levels.png", levels)
    cv2.imwrite(f"{number}.picture.png", picture)
    return {
        "number": number,
        "file": file,
        "vmin": float(vmin) if given else None,
        "vmax": float(vmax) if given else None,
        "blur": blur,
        "kernel": [width, height],
        "colormap": colormap,
        "opacity": opacity,
    }


maps = {number: cv2.applyColorMap(np.arange(256, dtype=np.uint8), number)[:, 0, ::-1].tolist() for number in range(22)}
json.dump({"cases": [case(number) for number in range(CASES)], "maps": [maps[number] for number in range(22)]}, sys.stdout)
