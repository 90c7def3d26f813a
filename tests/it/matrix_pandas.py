"""Flights in flights.csv, and their pivots by pandas, as JSON."""
import json
import random

import pandas as pd

random.seed(18)
rows = []
for i in range(12_000):
    # A third of the flights is on the days on which New York changes its clocks, in 2024: 10 March and 3 November.
    day = [pd.Timestamp("2024-03-10"), pd.Timestamp("2024-11-03")][i % 2] if i % 3 == 0 else pd.Timestamp("2024-01-01")
    days = 0 if i % 3 == 0 else random.randrange(366)
    time = day + pd.Timedelta(days=days, seconds=random.randrange(86_400 * 2) if i % 3 == 0 else random.randrange(86_400))
    carrier = random.choice(["AA", "B6", "Ü,\"x\""])
    # Quarters have an exact sum in both programs.
    rows.append((random.uniform(-120, -70), random.uniform(25, 48), time, random.randrange(-80, 400) / 4, carrier))
flights = pd.DataFrame(rows, columns=["lon", "lat", "time", "delay", "carrier"])
flights["time"] = flights["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
flights.to_csv("flights.csv", index=False)

cases = []
for zone in ["America/New_York", "UTC", "Asia/Kathmandu"]:
    local = pd.to_datetime(flights["time"]).dt.tz_convert(zone)
    parts = flights.assign(
        hour=local.dt.hour,
        weekday=local.dt.day_of_week,
        month=local.dt.month,
        date=local.dt.strftime("%Y-%m-%d"),
        week=local.dt.isocalendar().week.astype(int),
    )
    wanted = [("hour", "weekday", None), ("week", "carrier", None), ("month", "hour", "weekends")]
    if zone == "America/New_York":
        wanted += [("date", "carrier", None), ("hour", "date", "november")]
    for x, y, rows in wanted:
        chosen = parts
        if rows == "weekends":
            chosen = parts[(parts["weekday"] >= 5) & parts["hour"].between(1, 3)]
        if rows == "november":
            chosen = parts[(local >= pd.Timestamp("2024-11-02", tz=zone)) & (local < pd.Timestamp("2024-11-05", tz=zone))]
        for agg in ["count", "sum", "mean", "max"]:
            pivot = chosen.pivot_table(index=y, columns=x, values="delay", aggfunc=agg)
            cells = {
                f"{column}|{row}": float(value)
                for row, values in pivot.iterrows()
                for column, value in values.items()
                if pd.notna(value)
            }
            cases.append({"zone": zone, "x": x, "y": y, "rows": rows, "agg": agg, "cells": cells})
print(json.dumps({"cases": cases}))
