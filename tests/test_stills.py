"""Pictures for readers of the plain Markdown: below every fence, up to date, not in the site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from markdown import markdown
from PIL import Image

from pysims.prose.pages import pages, text_of
from pysims.prose.stills import (
    DRAWN,
    STILLS,
    WIDTH,
    built,
    stills_of,
    with_stills,
    without_stills,
)

SITE = Path(__file__).parents[1] / "site"
SHOWN = [name for page in pages() for name in stills_of(page)]


@pytest.mark.parametrize("page", pages())
def test_every_fence_has_its_picture(page: str) -> None:
    """`make stills` puts them there."""
    text = text_of(page)
    assert with_stills(text) == text
    fences = [line for line in text.split("\n") if line.startswith(("```sim ", "```figure "))]
    assert len(stills_of(page)) == len(fences)


def test_the_lines_come_and_go() -> None:
    page = 'One.\n\n```sim hash_ring scenario="jump"\n```\n\nTwo.\n\n```python\n1\n```\n'
    pictured = with_stills(page)
    assert '```\n\n<img src="stills/hash-ring-jump.png" alt="' in pictured
    assert pictured.count("<img") == 1
    assert with_stills(pictured) == pictured
    assert "\n".join(without_stills(pictured.split("\n"))) == page
    html = markdown(pictured, extensions=["pysims.prose.stills"])
    assert html == markdown(page)


def test_every_picture_is_there_and_no_other() -> None:
    assert {path.stem for path in STILLS.glob("*.png")} == set(SHOWN)
    for path in STILLS.glob("*.png"):
        with Image.open(path) as image:
            assert 200 < image.width <= WIDTH
        assert path.stat().st_size < 120_000


@pytest.mark.site
def test_every_picture_shows_what_the_site_shows() -> None:
    """`make stills` draws anew what has changed."""
    drawn = json.loads(DRAWN.read_text("utf-8"))
    now = {name: digest for name, (_, digest) in built(SITE).items() if name in SHOWN}
    assert set(now) == set(SHOWN)
    assert {name for name in now if drawn.get(name) != now[name]} == set()


@pytest.mark.site
def test_the_site_shows_the_thing_itself() -> None:
    assert not (SITE / "stills").exists()
    for page in SITE.glob("*.html"):
        assert "stills/" not in page.read_text("utf-8"), page.name
