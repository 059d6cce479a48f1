"""What a scene draws can be told from its ground, and never by its color alone.

Read from the `scene.css` of every pattern and from `docs/assets/sim.css`, in both schemes: graphics
have a contrast of 3:1 (WCAG 1.4.11) by their fill or by their outline, and states that differ in
color differ in something else as well, or stay apart for every reader (test_theme.py has the
dichromacies of Machado, Oliveira and Fernandes 2009).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from tests.test_theme import DICHROMACY, SCHEMES, contrast, seen, variables

FOLDER = Path(__file__).parents[1] / "pysims" / "patterns"
SCENES = sorted(FOLDER.glob("*/scene.css"))
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
COLOR = re.compile(r"var\(--sim-([\w-]+)\)")
# What is drawn in the color of the ground, inside or around something else: a halo around a word, a
# gap between shapes, the inside of an outlined shape, a word on a fill.
GROUNDS = frozenset({"surface", "surface-raised", "surface-sunken", "accent-ink"})

# Graphics that are paler than 3:1: what a reader needs of them is said by something else.
PALE = {
    ".cap-row": "a hairline below a row that its name begins",
    ".cm-night": "hours of the night; the axis names the hours",
    ".cb-threads-area": "below .cb-threads, a line of 1.8 in ink",
    ".dw-event--fed .dw-strip": "behind the words that are set bold (.dw-fed) and say the same",
    ".rf-track": "the way that is left to .rf-wait, which is drawn on it",
    ".rf-base": "a hairline below a row that its name begins",
    ".sg-beyond": "behind the steps after the pivot, which is a diamond with its name",
    ".tp-paper": "a frame around words",
    ".tp-status": "a frame around a word",
}


def declarations(css: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each rule: its selector, and property → value."""
    for selector, body in RULE.findall(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        pairs = (part.partition(":") for part in body.split(";"))
        found = {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
        yield " ".join(selector.split()), found


def over(color: str, alpha: float, ground: str) -> str:
    """The color that a translucent one has on a ground, as `#rrggbb`."""
    channels = [[int(text[at : at + 2], 16) for at in (1, 3, 5)] for text in (color, ground)]
    mixed = [round(alpha * one + (1 - alpha) * other) for one, other in zip(*channels, strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def best_contrast(rule: dict[str, str], scheme: str) -> float | None:
    """Contrast of the fill or the outline with the ground, whichever is stronger; None: neither."""
    colors = variables(scheme)
    ground = colors["surface-raised"]
    found = []
    for name in ("fill", "stroke"):
        color = COLOR.match(rule.get(name, ""))
        if color and color[1] not in GROUNDS:
            alpha = float(rule.get("opacity", 1)) * float(rule.get(f"{name}-opacity", 1))
            found.append(contrast(over(colors[color[1]], alpha, ground), ground))
    return max(found, default=None)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_graphics_have_contrast_of_three_or_something_else_says_it(scheme: str) -> None:
    pale = {
        selector
        for scene in SCENES
        for selector, rule in declarations(scene.read_text("utf-8"))
        if (best_contrast(rule, scheme) or 3) < 3
    }
    assert pale - set(PALE) == set()


def test_what_is_listed_as_pale_is_pale() -> None:
    """A color that was made stronger leaves the list."""
    rules = [pair for scene in SCENES for pair in declarations(scene.read_text("utf-8"))]
    for name in PALE:
        found = [best_contrast(rule, "default") for selector, rule in rules if selector == name]
        assert [value for value in found if value is not None and value < 3], name


# --- Not by color alone ---------------------------------------------------------------------------

# Colors that stand for what is well, what is not, and what is neither. In OKLab some of them are
# near one another for some readers, so each scene says with a second sign what they say.
STATES = ("good", "bad", "warn", "accent", "ink-muted")
APART = 0.1
# Pattern → what tells its states apart without color, and signs of it in the scene's own files.
SECOND_SIGN = {
    "availability": (
        "✓ and ✕ before words; what is down is dashed",
        ("✓", "✕", "stroke-dasharray"),
    ),
    "bulkhead": ("letters, square or round, crossed while held; ✕ and dashes", ("✕", "bh-letter")),
    "cap_theorem": (
        "✓ and ✕ before words; dashed, pale or full bars",
        ("✓", "✕", "stroke-dasharray"),
    ),
    "cascade_failure": (
        "circles and crosses, full and crossed cells, hatching, words at the bands",
        ("hatch", "stroke-dasharray", "cells"),
    ),
    "chaos_monkey": (
        "✓ and ✕ before words; failed bars are hollow, those with a fallback narrow",
        ("✓", "✕", 'cm-bar--fallback" x="4" width="6"', "fill-opacity: 0.25"),
    ),
    "circuit_breaker": ("a lane for each end of a call; the switch; ✕", ("✕", "cb-lane")),
    "distributed_rate_limiter": (
        "✓ and ✕, crosses on wires, dashes",
        ("✓", "✕", "sim-flying-cross"),
    ),
    "durable_workflow": (
        "squares, circles and triangles; ✓, × and “!”",
        ("✓", "×", "dw-mark--result"),
    ),
    "gossip": (
        "versions have numbers, death certificates are squares with ×; who is down is struck out",
        ("gs-dead-text", "line-through", "stroke-dasharray"),
    ),
    "hash_ring": (
        "each server has its letter; moved keys have a ring, needless ones squares",
        ("hr-dot",),
    ),
    "pacelc": ("✕ and ✓ before words; dash patterns of the lines", ("✓", "✕", "stroke-dasharray")),
    "raft": (
        "terms are written; dashed rim or ring; ≠ beside what strayed",
        ("≠", "stroke-dasharray"),
    ),
    "rate_limiter": ("✓ and ✕ before words; refused ones below the line", ("✓", "✕", "rl-refused")),
    "retry_backoff": ("full, outlined and round marks with a legend; ✓ and ✕", ("✓", "✕")),
    "saga": ("✓, ✗, “!” and dashes; struck-through entries", ("✓", "✗", "stroke-dasharray")),
    "split_brain": (
        "letters, a crown, crosses, dashed slips; ✗",
        ("✗", "stroke-dasharray", "crown"),
    ),
    "timeouts": ("full, crossed and dashed cells; ✕ before words", ("✕", "cells")),
    "transactional_outbox": ("✓ or “!” on each chip, rims", ("✓", "!")),
    "two_phase_commit": (
        "the votes and states are written; ✓, ✗, dashes",
        ("✓", "✗", "stroke-dasharray"),
    ),
    "uncoordinated_transaction": (
        "✓, ✗ and “?” in each box; dashes",
        ("✓", "✗", "stroke-dasharray"),
    ),
}


def states_of(folder: Path) -> set[str]:
    """The colors of states that a scene uses."""
    return {
        name for name in COLOR.findall((folder / "scene.css").read_text("utf-8")) if name in STATES
    }


def alike(names: set[str]) -> set[tuple[str, str]]:
    """Pairs of colors that some reader, in one of the schemes, may take for one another."""
    return {
        pair
        for scheme in SCHEMES
        for pair in combinations(sorted(names), 2)
        for deficiency in (None, *DICHROMACY)
        if math.dist(*(seen(variables(scheme)[name], deficiency) for name in pair)) < APART
    }


def test_scenes_with_colors_that_look_alike_have_a_second_sign() -> None:
    need = {scene.parent.name for scene in SCENES if alike(states_of(scene.parent))}
    assert need - set(SECOND_SIGN) == set()


@pytest.mark.parametrize("pattern", SECOND_SIGN)
def test_the_second_sign_is_in_the_scene(pattern: str) -> None:
    files = [FOLDER / pattern / name for name in ("scene.svg.jinja", "scene.css", "view.py")]
    text = "\n".join(file.read_text("utf-8") for file in files)
    _, signs = SECOND_SIGN[pattern]
    assert [sign for sign in signs if sign not in text] == []


# --- Forced colors --------------------------------------------------------------------------------

# With forced colors a browser drops the backgrounds and shadows of HTML; what is drawn in SVG keeps
# its colors. These say something else as well, or nothing.
SAYS_MORE = ("font-weight", "border", "outline", "text-decoration")


def test_nothing_is_said_by_a_background_or_a_shadow_alone() -> None:
    only = [
        (scene.parent.name, selector)
        for scene in SCENES
        for selector, rule in declarations(scene.read_text("utf-8"))
        if ("var(" in rule.get("background", "") or rule.get("box-shadow", "none") != "none")
        and not any(name.startswith(SAYS_MORE) for name in rule)
    ]
    assert only == []
