"""The site's fonts, which were cut down: what the site writes must still be in them."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from PIL import ImageFont

from tests.drivers.fonts import ASSETS, FACES, Face, ranges, with_ranges

ROOT = Path(__file__).parents[1]
STYLES = (ASSETS / "fonts.css").read_text("utf-8")
# In a private part of Unicode, so that no font has it: drawn as the sign for "missing".
NOWHERE = "\ue000"
# Signs of formulas that count as letters or punctuation; no face of ours ever had them.
FROM_THE_READER = set("ⁿₙ⌈⌉⌊⌋")


def drawn_by(face: str) -> set[str]:
    """The characters for which fonts.css sends a browser to this file."""
    found = re.search(rf'fonts/{face}\.woff2"[^}}]*?unicode-range: ([^;]+);', STYLES)
    assert found, face
    characters: set[str] = set()
    for part in found[1].split(","):
        first, _, last = part.strip().removeprefix("U+").partition("-")
        characters.update(map(chr, range(int(first, 16), int(last or first, 16) + 1)))
    return characters


def is_written(character: str) -> bool:
    """Whether it is part of words and numbers; other signs may come from the reader's own fonts."""
    return character.isdecimal() or unicodedata.category(character)[0] in "LP"


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_a_face_draws_what_the_styles_say(face: Face) -> None:
    font = ImageFont.truetype(str(ASSETS / "fonts" / f"{face.name}.woff2"), 40)
    missing = bytes(font.getmask(NOWHERE))
    characters = drawn_by(face.name)
    assert characters <= set(face.characters)
    assert len(characters) >= 49
    for character in characters - {" ", "\u00a0"}:
        assert bytes(font.getmask(character)) != missing, (face.name, character)
    assert bytes(font.getmask("\u4e00")) == missing


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_a_changed_font_does_not_bear_the_reserved_name(face: Face) -> None:
    font = ImageFont.truetype(str(ASSETS / "fonts" / f"{face.name}.woff2"), 40)
    family, style = font.getname()
    assert family == face.family
    assert "Source" not in f"{family} {style}"


@pytest.mark.site
def test_every_letter_of_the_site_is_in_its_fonts() -> None:
    seen: Counter[str] = Counter()
    for page in (ROOT / "site").rglob("*.html"):
        text = re.sub(r"<(script|style)\b.*?</\1>", "", page.read_text("utf-8"), flags=re.DOTALL)
        seen.update(set(html.unescape(re.sub(r"<[^>]*>", "", text))))
    assert seen["e"] > 40, "there is no built site: `make site` builds it"
    known = set().union(*(drawn_by(name) for name in ("serif", "serif-greek", "serif-more")))
    lacking = {one for one in seen if is_written(one)} - known - FROM_THE_READER
    assert lacking == set(), "add them to tests/drivers/fonts.py, and run it"


def test_the_ranges_are_those_of_css() -> None:
    assert ranges([0x20, 0x21, 0x22, 0xA0, 0x2013, 0x2014]) == "U+0020-0022, U+00A0, U+2013-2014"
    with pytest.raises(LookupError, match=r"names nothing\.woff2 with its characters 0 times"):
        with_ranges(STYLES, "nothing", [0x20])
