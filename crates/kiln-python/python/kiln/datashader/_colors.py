"""Colors by name, as hexadecimal digits, or as channels."""

from __future__ import annotations

from typing import Any


def rgb(color: Any) -> tuple[int, int, int]:
    """Red, green and blue from 0 to 255, of a CSS color, or of channels from 0 to 1 or from 0 to 255."""
    if isinstance(color, str):
        from .._kiln import css_color

        return css_color(color)
    red, green, blue = (channel for channel in tuple(color)[:3])
    if all(isinstance(channel, float) and channel <= 1 for channel in (red, green, blue)):
        return tuple(round(channel * 255) for channel in (red, green, blue))  # type: ignore[return-value]
    return int(red), int(green), int(blue)
