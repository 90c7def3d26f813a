"""Random annotations, and what OpenCV and pycocotools draw of them: a list of cases on standard output.

Shapes of Supervisely are drawn by the OpenCV calls that its SDK makes, shapes of COCO by pycocotools.
"""

import base64
import json
import sys
import zlib

import cv2
import numpy as np
from pycocotools import mask as coco

CASES = 480
# How far shapes reach beyond the image.
MARGIN = 30
KINDS = ["polygon beyond", "line beyond", "rectangle", "polygon", "holes", "line", "point", "bitmap", "coco", "rle", "packed", "yolo"]

random = np.random.default_rng(16)


def points(count: int, width: int, height: int, beyond: int = 0) -> np.ndarray:
    return random.integers([-beyond, -beyond], [width + beyond, height + beyond], (count, 2))


def star(width: int, height: int, count: int) -> np.ndarray:
    """A ring around a center that does not cross itself."""
    angles = np.sort(random.random(count)) * 2 * np.pi
    radii = (0.15 + 0.33 * random.random(count)) * min(width, height)
    return np.stack([width / 2 + np.cos(angles) * radii, height / 2 + np.sin(angles) * radii], axis=1)


def png(mask: np.ndarray) -> bytes:
    """A PNG with one bit per pixel, with a palette, with alpha, or of gray levels."""
    kind = random.integers(3)
    if kind == 0:
        return cv2.imencode(".png", mask * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
    if kind == 1:
        return cv2.imencode(".png", mask * random.integers(1, 256, dtype=np.uint8))[1].tobytes()
    pixels = random.integers(0, 256, (*mask.shape, 4), dtype=np.uint8)
    pixels[..., 3] = mask * 255
    return cv2.imencode(".png", pixels)[1].tobytes()


def supervisely(kind: str, width: int, height: int) -> tuple[dict, np.ndarray]:
    kind, *beyond = kind.split()
    if beyond:
        # OpenCV moves the ends of edges that it clips. What it draws on a larger canvas is the shape itself.
        label, canvas = supervisely(kind, width + 2 * MARGIN, height + 2 * MARGIN)
        label["points"]["exterior"] = [[x - MARGIN, y - MARGIN] for x, y in label["points"]["exterior"]]
        return label, canvas[MARGIN:-MARGIN, MARGIN:-MARGIN]
    canvas = np.zeros((height, width), np.uint8)
    label = {"classTitle": "thing", "geometryType": kind}
    interior = []
    if kind == "rectangle":
        exterior = points(2, width, height, 9)
        cv2.rectangle(canvas, exterior.min(axis=0).tolist(), exterior.max(axis=0).tolist(), 1, cv2.FILLED)
    elif kind == "polygon":
        exterior = points(int(random.integers(3, 9)), width, height)
        cv2.fillPoly(canvas, [exterior.astype(np.int32)], 1)
    elif kind == "holes":
        label["geometryType"] = "polygon"
        ring = star(width, height, int(random.integers(3, 40)))
        exterior = np.clip(np.rint(ring), 0, [width - 1, height - 1]).astype(int)
        interior = [points(int(random.integers(3, 6)), width, height) for _ in range(int(random.integers(1, 3)))]
        cv2.fillPoly(canvas, [exterior.astype(np.int32)], 1)
        cv2.fillPoly(canvas, [hole.astype(np.int32) for hole in interior], 0)
    elif kind == "line":
        exterior = points(int(random.integers(2, 7)), width, height)
        cv2.polylines(canvas, [exterior.astype(np.int32)], False, 1, 1)
    elif kind == "point":
        exterior = points(1, width, height, 2)
        cv2.circle(canvas, exterior[0].tolist(), 0, 1, cv2.FILLED)
    else:
        left, top = (int(random.integers(0, side)) for side in (width, height))
        mask = random.integers(0, 2, (int(random.integers(1, height - top + 1)), int(random.integers(1, width - left + 1))))
        canvas[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        data = png(mask.astype(np.uint8))
        data = zlib.compress(data) if random.random() < 0.7 else data
        label["bitmap"] = {"origin": [left, top], "data": base64.b64encode(data).decode()}
        return label, canvas
    label["points"] = {"exterior": exterior.tolist(), "interior": [hole.tolist() for hole in interior]}
    return label, canvas


def case(number: int) -> dict:
    kind = KINDS[number % len(KINDS)]
    width, height = (int(side) for side in random.integers(2, 70, 2))
    edges = []
    if kind in ("coco", "rle", "packed"):
        rings = [(random.random((int(random.integers(3, 9)), 2)) * [width, height]).round(2)]
        if random.random() < 0.5:
            rings.append(np.clip(star(width, height, int(random.integers(3, 30))), 0, [width, height]).round(2))
        rings = [ring.flatten().tolist() for ring in rings]
        packed = coco.merge(coco.frPyObjects(rings, height, width))
        mask = coco.decode(packed)
        if kind != "coco" and random.random() < 0.5:
            mask = np.asfortranarray(random.integers(0, 2, (height, width), dtype=np.uint8))
            packed = coco.encode(mask)
        segmentation = rings
        if kind == "packed":
            segmentation = {"size": packed["size"], "counts": packed["counts"].decode()}
        elif kind == "rle":
            flat = mask.flatten(order="F")
            changes = np.flatnonzero(np.diff(flat)) + 1
            runs = np.diff([0, *changes, len(flat)]).tolist()
            segmentation = {"size": [height, width], "counts": [0, *runs] if flat[0] else runs}
        text = json.dumps(
            {
                "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "segmentation": segmentation, "iscrowd": 0}],
                "images": [{"id": 7, "width": width, "height": height, "file_name": "a.jpg"}],
                "categories": [{"id": 3, "name": "thing"}],
            }
        )
        edges = [[ring[0::2], ring[1::2]] for ring in rings] if kind == "coco" else []
    elif kind == "yolo":
        # A box covers what pycocotools draws of its corners.
        values = random.random(4).round(4) * [1, 1, 0.5, 0.5]
        text = "3 " + " ".join(str(value) for value in values)
        x, y, w, h = values * [width, height, width, height]
        corners = [x - w / 2, y - h / 2, x + w / 2, y - h / 2, x + w / 2, y + h / 2, x - w / 2, y + h / 2]
        mask = coco.decode(coco.merge(coco.frPyObjects([corners], height, width)))
        edges = [[corners[0::2], corners[1::2]]]
    else:
        label, mask = supervisely(kind, width, height)
        text = json.dumps({"size": {"width": width, "height": height}, "objects": [label]})
        if label["geometryType"] in ("polygon", "line"):
            # A line goes back on itself, so that it has no other edge.
            exterior = label["points"]["exterior"]
            rings = [exterior if label["geometryType"] == "polygon" else exterior + exterior[-2:0:-1]]
            rings += label["points"]["interior"]
            edges = [[[x for x, _ in ring], [y for _, y in ring]] for ring in rings]
    return {"kind": kind, "width": width, "height": height, "text": text, "edges": edges, "mask": mask.flatten().tolist()}


json.dump([case(number) for number in range(CASES)], sys.stdout)
