#!/usr/bin/env python3
"""Generates the bundled sample of a floor: data/floor/plan.png, rooms.geojson and detections.csv.gz.

The floor is invented: an office of 40 m by 24 m, x to the east and y to the north. The month of detections is simulated with a
fixed seed, so that every run writes the same rows. Only the standard library is needed.
"""

import gzip
import json
import math
import random
import struct
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data" / "floor"
WIDTH_M, HEIGHT_M = 40, 24
PIXELS_PER_M = 30
ROOMS = {"Boardroom": (0, 16, 12, 24), "Kitchen": (28, 14, 40, 24), "Open office": (0, 0, 28, 12)}
# Phone booths on the north side, each 4 m wide.
BOOTHS = [(12 + 4 * i, 18.5, 16 + 4 * i, 24) for i in range(4)]
# Centers of the groups of four desks.
DESK_GROUPS = [(x, y) for y in (9.2, 3.2) for x in (3.5, 9.5, 15.5, 21.5)]
KITCHEN_TABLES = [(31.5, 17), (36.5, 17), (31.5, 20.5), (36.5, 20.5)]
ENTRANCE = (39.6, 6.5)
DESK_DOOR, BOARDROOM_DOOR, KITCHEN_DOOR = (25, 12), (9.5, 16), (28, 15)

# ------------------------------------------------------------------------------------------------------------- detections

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
DAYS = 31
# Central European Time, without daylight saving in January.
UTC_OFFSET_H = 1
# Seconds between the detections of a person who sits, and of one who walks.
SEATED_S, WALKING_S = 300, 8
WALK_M_PER_S = 1.2
SEED = 17


class Person:
    """The path of one person on one day, as detections."""

    def __init__(self, rng, space, track, time_h, place):
        self.rng, self.space, self.track = rng, space, track
        self.seconds, self.place = time_h * 3600, place
        self.rows = []

    def detect(self, x, y, spread):
        angle, radius = 2 * math.pi * self.rng.random(), spread * math.sqrt(-2 * math.log(1 - self.rng.random()))
        x = min(max(x + radius * math.cos(angle), 0.2), WIDTH_M - 0.2)
        y = min(max(y + radius * math.sin(angle), 0.2), HEIGHT_M - 0.2)
        self.rows.append((round(self.seconds), round(x, 2), round(y, 2), self.space, self.track))

    def walk(self, *places):
        step = WALKING_S * WALK_M_PER_S
        to_next = step * self.rng.random()
        for place in places:
            length = math.dist(self.place, place)
            at = to_next
            while at < length:
                part = at / length
                x = self.place[0] + (place[0] - self.place[0]) * part
                y = self.place[1] + (place[1] - self.place[1]) * part
                seconds = self.seconds
                self.seconds += at / WALK_M_PER_S
                self.detect(x, y, 0.35)
                self.seconds = seconds
                at += step
            to_next = at - length
            self.seconds += length / WALK_M_PER_S
            self.place = place

    def stay(self, until_h):
        while self.seconds + SEATED_S < until_h * 3600:
            self.seconds += SEATED_S
            self.detect(*self.place, 0.22)


def route(from_room, to_room):
    """The doors between two rooms: the corridor connects all of them."""
    doors = {"desk": [DESK_DOOR, (25, 14)], "board": [(9.5, 17), (9.5, 14)], "kitchen": [(29, 15), (27, 14)]}
    doors |= {"entrance": [(33, 9), (27, 13.5)], "booth": [(20, 17), (20, 14)]}
    return doors[from_room] + doors[to_room][::-1]


def visit(person, now, room, place, until_h):
    person.walk(*route(now, room), place)
    person.stay(until_h)
    return room


def workday(rng, space, day, who, track, is_quiet):
    """One person on one workday, in hours of local time."""
    group = DESK_GROUPS[who % len(DESK_GROUPS)]
    seat = (who // len(DESK_GROUPS)) % 4
    desk = (group[0] + (-0.85, 0.85)[seat % 2], group[1] + (-1.05, 1.05)[seat // 2])
    between = lambda low, high: low + (high - low) * rng.random()
    person = Person(rng, space, track, between(7.9, 9.2), ENTRANCE)
    table = KITCHEN_TABLES[rng.randrange(4)]
    chair = (table[0] + rng.choice((-0.9, 0.9)), table[1] + rng.choice((-0.5, 0.5)))
    boardroom_seat = (3.2 + 1.4 * rng.randrange(5), rng.choice((18.6, 21.4)))
    booth = BOOTHS[rng.randrange(4)]
    booth_seat = ((booth[0] + booth[2]) / 2, 21.6)
    now = visit(person, "entrance", "desk", desk, between(9.7, 10))
    weekday = day.weekday()
    if weekday != 4 and rng.random() < (0.2 if is_quiet else 0.65):
        now = visit(person, now, "board", boardroom_seat, between(10.7, 10.95))
        now = visit(person, now, "desk", desk, between(11.7, 12))
    elif is_quiet and rng.random() < 0.55:
        now = visit(person, now, "booth", booth_seat, between(10.6, 11.4))
        now = visit(person, now, "desk", desk, between(11.7, 12))
    person.stay(between(11.8, 12.1))
    now = visit(person, now, "kitchen", chair, between(12.5, 12.9))
    now = visit(person, now, "desk", desk, between(13.8, 14))
    if weekday in (0, 2, 3) and rng.random() < (0.15 if is_quiet else 0.55):
        now = visit(person, now, "board", boardroom_seat, between(14.8, 15.1))
    elif is_quiet and rng.random() < 0.5:
        now = visit(person, now, "booth", booth_seat, between(14.5, 15.2))
    elif rng.random() < 0.5:
        now = visit(person, now, "kitchen", (34 + between(-3, 3), 23.1), between(14.3, 14.5))
    if now != "desk":
        now = visit(person, now, "desk", desk, between(15.5, 16))
    person.stay(between(16.3, 17.8) if weekday != 4 else between(15, 16.3))
    person.walk(*route(now, "entrance"), ENTRANCE)
    return person.rows


def detections():
    """All rows in the order of their times: (time, x, y, space_id, track_id)."""
    rng = random.Random(SEED)
    rows, track = [], 0
    for index in range(DAYS):
        day = START + timedelta(days=index)
        # Weekends, and New Year's Day, are empty.
        if day.weekday() >= 5 or index == 0:
            continue
        is_quiet = index >= 14
        share = (0.34 if is_quiet else 0.8) * (0.8 if day.weekday() == 4 else 1)
        people = [("floor-1", who) for who in range(20) if rng.random() < share]
        if day.weekday() in (1, 3):
            people += [("floor-2", who) for who in (1, 6, 12)]
        for space, who in people:
            track += 1
            for seconds, x, y, *ids in workday(rng, space, day, who, track, is_quiet):
                time = day + timedelta(seconds=seconds - 3600 * UTC_OFFSET_H)
                rows.append((time, x, y, *ids))
    rows.sort(key=lambda row: (row[0], row[4]))
    return rows


def write_detections(path):
    rows = detections()
    lines = ["time,x,y,space_id,track_id"]
    lines += [f"{time:%Y-%m-%dT%H:%M:%SZ},{x:g},{y:g},{space},{track}" for time, x, y, space, track in rows]
    text = "\n".join(lines) + "\n"
    # Without a file name and a time of change, the bytes depend on the rows and the version of zlib only.
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed:
        packed.write(text.encode())
    return len(rows)


# ------------------------------------------------------------------------------------------------------------------ rooms


def ring(west, south, east, north):
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def write_rooms(path):
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": ring(*box)}}
        for name, box in ROOMS.items()
    ]
    text = ",\n".join("  " + json.dumps(feature) for feature in features)
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{text}\n]}}\n')


# ------------------------------------------------------------------------------------------------------------------- plan

PAPER, FLOOR, TINT, WALL = (255, 255, 255), (250, 249, 246), (240, 243, 246), (72, 80, 92)
FURNITURE, EDGE, TEXT = (228, 229, 230), (172, 178, 186), (104, 112, 124)

# Strokes of letters on a grid of 4 by 6, y down.
LETTERS = {
    "A": ["06 20 46", "14 34"], "B": ["06 00 30 41 42 33 03", "33 44 45 36 06"], "C": ["41 30 10 01 05 16 36 45"],
    "D": ["06 00 20 42 44 26 06"], "E": ["40 00 06 46", "03 33"], "F": ["40 00 06", "03 33"], "H": ["00 06", "40 46", "03 43"],
    "I": ["20 26"], "K": ["00 06", "40 03 46"], "M": ["06 00 23 40 46"], "N": ["06 00 46 40"],
    "O": ["10 30 41 45 36 16 05 01 10"], "P": ["06 00 30 41 42 33 03"], "R": ["06 00 30 41 42 33 03", "23 46"],
    "S": ["41 30 10 01 02 13 33 44 45 36 16 05"], "T": ["00 40", "20 26"], "m": ["06 02", "03 12 23 26", "23 32 43 46"],
    "0": ["10 30 41 45 36 16 05 01 10"], "1": ["11 20 26"], "2": ["01 10 30 41 42 06 46"], "3": ["00 40 13 33 44 45 36 16 05"],
    "4": ["36 30 04 44"], "5": ["40 00 02 32 43 45 36 16 05"],
}


class Plan:
    """An RGB canvas in meters, with antialiased lines."""

    def __init__(self):
        self.width, self.height = WIDTH_M * PIXELS_PER_M, HEIGHT_M * PIXELS_PER_M
        self.pixels = [PAPER] * (self.width * self.height)

    def fill(self, west, south, east, north, color):
        left, right = round(west * PIXELS_PER_M), round(east * PIXELS_PER_M)
        for row in range(round((HEIGHT_M - north) * PIXELS_PER_M), round((HEIGHT_M - south) * PIXELS_PER_M)):
            self.pixels[row * self.width + left : row * self.width + right] = [color] * (right - left)

    def line(self, points, width_m, color):
        for start, end in zip(points, points[1:]):
            self.segment(start, end, width_m, color)

    def segment(self, start, end, width_m, color):
        (x0, y0), (x1, y1) = [(x * PIXELS_PER_M, (HEIGHT_M - y) * PIXELS_PER_M) for x, y in (start, end)]
        half = width_m * PIXELS_PER_M / 2
        dx, dy = x1 - x0, y1 - y0
        square = dx * dx + dy * dy or 1
        columns = range(max(0, int(min(x0, x1) - half - 1)), min(self.width, int(max(x0, x1) + half + 2)))
        for row in range(max(0, int(min(y0, y1) - half - 1)), min(self.height, int(max(y0, y1) + half + 2))):
            for column in columns:
                x, y = column + 0.5 - x0, row + 0.5 - y0
                along = min(max((x * dx + y * dy) / square, 0), 1)
                cover = half + 0.5 - math.hypot(x - along * dx, y - along * dy)
                if cover > 0:
                    self.mix(row * self.width + column, color, min(cover, 1))

    def mix(self, index, color, cover):
        below = self.pixels[index]
        self.pixels[index] = tuple(round(old + (new - old) * cover) for old, new in zip(below, color))

    def frame(self, west, south, east, north, color=EDGE, width_m=0.06):
        self.line([(west, south), (east, south), (east, north), (west, north), (west, south)], width_m, color)

    def box(self, x, y, width, height):
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        self.fill(*corners, FURNITURE)
        self.frame(*corners)

    def chair(self, x, y, radius=0.24):
        points = [(x + radius * math.cos(a * math.pi / 8), y + radius * math.sin(a * math.pi / 8)) for a in range(17)]
        self.line(points, 0.06, EDGE)

    def door(self, hinge, end, to, floor):
        """A door: a gap in the wall from `hinge` to `end`, the leaf open towards `to`, and its arc."""
        self.line([hinge, end], 0.34, floor)
        reach = math.dist(hinge, end)
        first, last = [math.atan2(y - hinge[1], x - hinge[0]) for x, y in (end, to)]
        turn = (last - first + math.pi) % (2 * math.pi) - math.pi
        arc = [first + turn * step / 12 for step in range(13)]
        self.line([(hinge[0] + reach * math.cos(a), hinge[1] + reach * math.sin(a)) for a in arc], 0.05, EDGE)
        self.line([hinge, (hinge[0] + reach * math.cos(last), hinge[1] + reach * math.sin(last))], 0.08, WALL)

    def text(self, x, y, text, height_m=0.62, color=TEXT):
        """Text whose center is at x, y."""
        unit = height_m / 6
        x -= (len(text) * 5.6 - 1.6) * unit / 2
        for letter in text:
            for stroke in LETTERS.get(letter, []):
                points = [(x + int(p[0]) * unit, y + height_m / 2 - int(p[1]) * unit) for p in stroke.split()]
                self.line(points, 0.09, color)
            x += 5.6 * unit

    def png(self):
        # 16 levels per channel: few colors, which an indexed PNG stores in a few kilobytes.
        level = lambda part: round(part / 255 * 31) * 255 // 31
        cells = [tuple(map(level, color)) for color in self.pixels]
        palette = sorted(set(cells), reverse=True)
        assert len(palette) <= 256, len(palette)
        index = {color: i for i, color in enumerate(palette)}
        rows = b"".join(
            b"\0" + bytes(index[c] for c in cells[y * self.width : (y + 1) * self.width]) for y in range(self.height)
        )
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"PLTE", bytes(sum(palette, ()))), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def furniture(plan):
    for x, y in DESK_GROUPS:
        for side in (-0.85, 0.85):
            plan.box(x + side, y - 0.4, 1.6, 0.75)
            plan.box(x + side, y + 0.4, 1.6, 0.75)
            plan.chair(x + side, y - 1.05)
            plan.chair(x + side, y + 1.05)
    plan.box(6, 20, 7.6, 1.7)
    for i in range(5):
        plan.chair(3.2 + 1.4 * i, 18.6)
        plan.chair(3.2 + 1.4 * i, 21.4)
    for x, y in KITCHEN_TABLES:
        plan.box(x, y, 1.1, 1.5)
        for side in (-0.9, 0.9):
            plan.chair(x + side, y - 0.5)
            plan.chair(x + side, y + 0.5)
    plan.box(34.2, 23.55, 11, 0.6)
    for west, _, east, _ in BOOTHS:
        plan.box((west + east) / 2, 22.7, 2.4, 0.8)
        plan.chair((west + east) / 2, 21.6)
    plan.box(33, 4, 0.9, 4)
    plan.chair(32, 4)
    plan.box(36.5, 12.6, 3.4, 0.9)


def write_plan(path):
    plan = Plan()
    plan.fill(0, 0, WIDTH_M, HEIGHT_M, FLOOR)
    for box in ROOMS.values():
        plan.fill(*box, TINT)
    furniture(plan)
    edge = 0.14
    inner = [
        [(0, 12), (28, 12), (28, edge)], [(0, 16), (12, 16), (12, 24)], [(28, 14), (40, 14)], [(28, 14), (28, 24)],
        [(12, 18.5), (28, 18.5)], [(16, 18.5), (16, 24)], [(20, 18.5), (20, 24)], [(24, 18.5), (24, 24)],
    ]
    for wall in inner:
        plan.line(wall, 0.16, WALL)
    plan.frame(edge, edge, WIDTH_M - edge, HEIGHT_M - edge, WALL, 0.28)
    plan.door((24.3, 12), (25.7, 12), (24.3, 10.6), TINT)
    plan.door((8.9, 16), (10.1, 16), (8.9, 17.2), TINT)
    plan.door((28, 14.4), (28, 15.6), (29.2, 14.4), TINT)
    plan.door((39.86, 5.8), (39.86, 7.2), (38.46, 5.8), FLOOR)
    for west, south, _, _ in BOOTHS:
        plan.door((west + 0.7, south), (west + 1.7, south), (west + 0.7, south + 1), FLOOR)
    # Windows.
    for x in range(2, 38, 4):
        for y in (edge, HEIGHT_M - edge):
            plan.line([(x, y), (x + 2.4, y)], 0.1, PAPER)
    plan.text(12.5, 6.2, "OPEN OFFICE")
    plan.text(6, 23.1, "BOARDROOM")
    plan.text(34, 18.75, "KITCHEN")
    plan.text(36, 9.8, "RECEPTION")
    for i, (west, _, east, _) in enumerate(BOOTHS):
        plan.text((west + east) / 2, 20.2, f"BOOTH {i + 1}", 0.42)
    plan.line([(30.5, 1.1), (30.5, 0.8), (35.5, 0.8), (35.5, 1.1)], 0.08, TEXT)
    plan.text(36.4, 0.95, "5 m", 0.42)
    path.write_bytes(plan.png())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_plan(FOLDER / "plan.png")
    write_rooms(FOLDER / "rooms.geojson")
    count = write_detections(FOLDER / "detections.csv.gz")
    print(f"{count} detections")
