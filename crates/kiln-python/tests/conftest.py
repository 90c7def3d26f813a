"""Shared points and paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def towns() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Longitudes, latitudes and weights of points around three towns."""
    random = np.random.default_rng(1)
    centers = random.uniform([[5, 45]], [[25, 60]], (3, 2)).repeat(2000, axis=0)
    lon, lat = (centers + random.normal(0, 0.7, centers.shape)).T.copy()
    return lon, lat, random.uniform(0.5, 3, len(lon)).astype("f4")
