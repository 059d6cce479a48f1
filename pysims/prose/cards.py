"""Pictures for other sites: `python -m pysims.prose.cards` draws one card for each page.

When somebody shares a page, other sites show its Open Graph image: 1200 × 630 pixels with the
page's title, its description, and a drawing of one of its runs, a dot for each event and a line
from each event to what it caused. Pages whose runs are too short for that get a hash ring. Pillow
draws them with the site's own fonts, without a network, the same bytes every time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from .. import run
from ..kernel import History
from ..patterns.hash_ring import HashRing
from . import DOCS
from .pages import pages, text_of

WIDTH, HEIGHT = 1200, 630
# Drawn larger and scaled down, which smooths lines better than Pillow draws them.
SCALE = 2
CARDS = DOCS / "assets" / "cards"
FONTS = DOCS / "assets" / "fonts"
SERIF = "serif.woff2"
SANS = "sans.woff2"
SITE = "How Systems Survive Chaos"

TEXT_LEFT, TEXT_WIDTH = 72, 520
# Left, top, right, bottom of the drawing.
BOX = (676, 76, 1136, 536)
EVENTS_MIN, EVENTS_MAX, KINDS_MIN, KINDS_MAX = 50, 160, 4, 8

FENCE = re.compile(r'^```sim (\w+) scenario="([^"]+)"$', re.MULTILINE)
TITLE = re.compile(r"^title: (.+)$", re.MULTILINE)
DESCRIPTION = re.compile(r"^description: >-\n((?:  .+\n)+)", re.MULTILINE)
VARIABLE = re.compile(r"--sim-([\w-]+): (#[0-9a-f]{6})")


def palette() -> dict[str, str]:
    """The colors of the light scheme, from the site's own style sheet."""
    css = (DOCS / "assets" / "sim.css").read_text("utf-8")
    found: dict[str, str] = {}
    for name, color in VARIABLE.findall(css):
        found.setdefault(name, color)
    return found


@dataclass(frozen=True)
class Card:
    """A sheet to draw on, in the coordinates of the finished picture."""

    draw: ImageDraw.ImageDraw
    colors: dict[str, str]

    def line(self, points: Sequence[tuple[float, float]], color: str, width: float) -> None:
        """A line through points."""
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self.draw.line(scaled, self.colors[color], round(width * SCALE), joint="curve")

    def dot(self, x: float, y: float, radius: float, color: str, inside: str = "") -> None:
        """A disk, or a circle around the color `inside`."""
        box = [(v * SCALE) for v in (x - radius, y - radius, x + radius, y + radius)]
        self.draw.ellipse(box, self.colors[inside or color], self.colors[color], 3 * SCALE)

    def arc(self, box: Sequence[float], start: float, end: float, color: str) -> None:
        """A part of a circle's line, in degrees clockwise from the right."""
        self.draw.arc([v * SCALE for v in box], start, end, self.colors[color], 16 * SCALE)

    def text(
        self, x: float, y: float, words: str, style: ImageFont.FreeTypeFont, color: str
    ) -> None:
        """One line of text; `y` is its base line."""
        self.draw.text((x * SCALE, y * SCALE), words, self.colors[color], style, anchor="ls")


def font(name: str, size: int, weight: int) -> ImageFont.FreeTypeFont:
    """A font of the site in one weight."""
    found = ImageFont.truetype(FONTS / name, size * SCALE)
    found.set_variation_by_axes([weight])
    return found


def wrapped(words: str, style: ImageFont.FreeTypeFont, width: float, lines_max: int) -> list[str]:
    """Lines of at most `width` pixels; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and style.getlength(longer) <= width * SCALE:
            lines[-1] = longer
        elif len(lines) == lines_max:
            return [*lines[:-1], lines[-1].rstrip(",;:") + " …"]
        else:
            lines.append(word)
    return lines


def draw_card(title: str, description: str, history: History[Any] | None) -> Image.Image:
    """The card of a page; without a run it shows a ring."""
    colors = palette()
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), colors["surface"])
    card = Card(ImageDraw.Draw(image), colors)
    write(card, title, description)
    if history is None:
        draw_ring(card)
    else:
        draw_run(card, history)
    smooth = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    # A palette makes the file a third as large, and nobody sees it.
    return smooth.quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def write(card: Card, title: str, description: str) -> None:
    """The words on the left: the site, the page, and what it is about."""
    card.line([(TEXT_LEFT, 96), (TEXT_LEFT + 64, 96)], "accent", 5)
    card.text(TEXT_LEFT, 148, SITE, font(SANS, 28, 600), "accent")
    headline = font(SERIF, 68, 640)
    y = 232.0
    for line in wrapped(
        "How systems survive chaos" if title == SITE else title, headline, TEXT_WIDTH, 3
    ):
        card.text(TEXT_LEFT, y, line, headline, "ink")
        y += 76
    body = font(SANS, 27, 400)
    for line in wrapped(description, body, TEXT_WIDTH, 4):
        card.text(TEXT_LEFT, y, line, body, "ink-muted")
        y += 38


def draw_run(card: Card, history: History[Any]) -> None:
    """A run: time from left to right, a lane for each kind of event, lines from cause to effect."""
    left, top, right, bottom = BOX
    causes = list(history.causes())[:EVENTS_MAX]
    kinds = list(dict.fromkeys(type(event).__name__ for _, _, event in causes))
    first, last = causes[0][0], causes[-1][0]
    places: dict[int, tuple[float, float]] = {}
    lanes: dict[int, int] = {}
    for time_ms, sequence, event in causes:
        lane = kinds.index(type(event).__name__) % KINDS_MAX
        lanes[sequence] = lane
        x = left + (right - left) * (time_ms - first) / max(1, last - first)
        y = top + (bottom - top) * (lane + 0.5) / min(len(kinds), KINDS_MAX)
        places[sequence] = (x, y)
    for lane in sorted(set(lanes.values())):
        y = top + (bottom - top) * (lane + 0.5) / min(len(kinds), KINDS_MAX)
        card.line([(left, y), (right, y)], "line", 2)
    for cause, effect in caused(history, len(causes)):
        if cause in places and effect in places:
            card.line(curve(places[cause], places[effect]), f"c{lanes[effect]}", 1.5)
    for sequence, (x, y) in places.items():
        card.dot(x, y, 6, f"c{lanes[sequence]}")


def caused(history: History[Any], count: int) -> list[tuple[int, int]]:
    """Pairs of sequence numbers, of an event and of one that it scheduled."""
    found = []
    before = history[0].sequence
    for index in range(1, count + 1):
        instant = history[index]
        if instant.cause:
            found += [(instant.cause[1], number) for number in range(before, instant.sequence)]
        before = instant.sequence
    return found


def curve(a: tuple[float, float], b: tuple[float, float]) -> list[tuple[float, float]]:
    """A line from one dot to another that leaves and arrives level."""
    (ax, ay), (bx, by) = a, b
    points = []
    for step in range(25):
        t = step / 24
        points.append((ax + (bx - ax) * t, ay + (by - ay) * (3 - 2 * t) * t * t))
    return points


def draw_ring(card: Card) -> None:
    """A hash ring: who keeps which part of the circle, and keys in the colors of their servers."""
    left, top, right, bottom = BOX
    names = ["A", "B", "C", "D"]
    ring = HashRing(names, virtual_nodes=5)
    for step in range(360):
        owner = ring.owner_at(ring.size * step // 360)
        card.arc(BOX, step - 90, step - 88.6, f"c{names.index(owner)}")
    for number in range(200):
        key = f"user:{number}"
        angle = math.tau * (ring.position(key) / ring.size - 0.25)
        distance = (right - left) / 2 - 40 - 17 * (number % 5)
        x = (left + right) / 2 + distance * math.cos(angle)
        y = (top + bottom) / 2 + distance * math.sin(angle)
        card.dot(x, y, 3.5, f"c{names.index(ring.lookup(key))}")


def run_of(name: str) -> History[Any] | None:
    """The first run of a page whose beginning has enough events of enough kinds for a drawing."""
    for pattern_id, scenario_id in FENCE.findall(text_of(name)):
        history = run(pattern_id, scenario_id).history
        events = [type(event) for _, _, event in history.causes()][:EVENTS_MAX]
        if len(events) >= EVENTS_MIN and len(set(events)) >= KINDS_MIN:
            return history
    return None


def words_of(name: str) -> tuple[str, str]:
    """Title and description of a page, from its front matter."""
    text = text_of(name)
    title, description = TITLE.search(text), DESCRIPTION.search(text)
    return (
        title[1] if title else pages()[name],
        " ".join(description[1].split()) if description else "",
    )


def main(target: Path = CARDS) -> None:
    """Draw the card of every page, and delete those of pages that are gone."""
    target.mkdir(parents=True, exist_ok=True)
    for name in pages():
        draw_card(*words_of(name), run_of(name)).save(target / f"{name}.png", optimize=True)
    for path in target.glob("*.png"):
        if path.stem not in pages():
            path.unlink()


if __name__ == "__main__":
    main()
