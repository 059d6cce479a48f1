"""The theme's colors keep the contrast that WCAG 2.2 asks for, in both schemes.

The test reads the variables from `docs/assets/sim.css` itself, so that a color changed
there is measured here. Contrast is WCAG's: (L1 + 0.05) / (L2 + 0.05) of relative luminance.
"""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path

import pytest

COLORS = Path(__file__).parents[1] / "docs" / "assets" / "sim.css"
SCHEMES = ("default", "slate")
SURFACES = ("surface", "surface-raised")
# Full dichromacy in linear RGB (Machado, Oliveira and Fernandes 2009, severity 1.0).
DICHROMACY = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
Linear = tuple[float, float, float]


def variables(scheme: str) -> dict[str, str]:
    """The `--sim-*` colors (name without prefix -> `#rrggbb`) that one scheme shows on screen."""
    selector = {
        "default": ":where(:root, [data-md-color-scheme])",
        "slate": ':where([data-md-color-scheme="slate"])',
    }[scheme]
    css = COLORS.read_text(encoding="utf-8")
    block = re.search(
        rf"^ *{re.escape(selector)} \{{([^}}]*--sim-ink:[^}}]*)\}}", css, re.MULTILINE
    )
    assert block, f"sim.css has no block for scheme {scheme}"
    return dict(re.findall(r"--sim-([a-z0-9-]+): (#[0-9a-f]{6});", block[1]))


def linear(color: str) -> Linear:
    """Linear RGB in 0..1 of an sRGB `#rrggbb`."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return r, g, b


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio, 1..21."""
    dark, light = sorted(
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(color), strict=True))
        for color in (one, other)
    )
    return (light + 0.05) / (dark + 0.05)


def oklab(color: Linear) -> Linear:
    """OKLab of linear RGB (Ottosson 2020)."""
    r, g, b = color
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def seen(color: str, deficiency: str | None) -> Linear:
    """OKLab of a color as a reader with the given deficiency sees it."""
    rgb = linear(color)
    if deficiency is not None:
        rows = DICHROMACY[deficiency]
        r, g, b = (
            min(1.0, max(0.0, sum(w * c for w, c in zip(row, rgb, strict=True)))) for row in rows
        )
        rgb = (r, g, b)
    return oklab(rgb)


def nearest(colors: list[str], deficiency: str | None) -> float:
    """Smallest OKLab distance between two of the colors."""
    return min(
        math.dist(seen(x, deficiency), seen(y, deficiency)) for x, y in combinations(colors, 2)
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_has_contrast_of_four_and_a_half(scheme: str) -> None:
    color = variables(scheme)
    for ink in ("ink", "ink-muted", "accent", "good", "bad", "warn"):
        for surface in (*SURFACES, "surface-sunken"):
            ratio = contrast(color[ink], color[surface])
            assert ratio >= 4.5, f"{scheme}: {ink} on {surface} has {ratio:.2f}"
    assert contrast(color["accent-ink"], color["accent"]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_graphics_have_contrast_of_three(scheme: str) -> None:
    color = variables(scheme)
    for name in ("line-strong", "focus", *(f"c{index}" for index in range(20))):
        for surface in SURFACES:
            ratio = contrast(color[name], color[surface])
            assert ratio >= 3.0, f"{scheme}: {name} on {surface} has {ratio:.2f}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_categories_stay_apart(scheme: str) -> None:
    color = variables(scheme)
    categories = [color[f"c{index}"] for index in range(20)]
    assert nearest(categories, None) >= 0.06
    for deficiency in (None, *DICHROMACY):
        assert nearest(categories[:8], deficiency) >= 0.065, (scheme, deficiency)


def test_both_schemes_define_the_same_variables() -> None:
    assert variables("default").keys() == variables("slate").keys()
