"""The fence: what Markdown makes of it, and that a mistake stops the build."""

from __future__ import annotations

import html
import json
import re

import markdown
import pytest
from pymdownx.superfences import SuperFencesException

from pysims import load_pattern, pattern_ids
from pysims.widget.embeds import write_embeds
from pysims.widget.fence import format_sim, validate_sim, widget_html

KNOWN = ", ".join(pattern_ids())


def convert(text: str) -> str:
    fence = {"name": "sim", "class": "sim", "format": format_sim, "validator": validate_sim}
    return markdown.markdown(
        text,
        extensions=["pymdownx.superfences"],
        extension_configs={"pymdownx.superfences": {"custom_fences": [fence]}},
    )


def fence(header: str) -> str:
    return f"Before.\n\n```sim {header}\n```\n\nAfter.\n"


def test_a_fence_becomes_the_widget_byte_for_byte() -> None:
    page = convert(fence('hash_ring scenario="modulo-kill"'))
    assert widget_html("hash_ring", "modulo-kill") in page
    assert "<p><div" not in page
    assert "<p><sim-widget" not in page


def test_parameters_and_seed_reach_the_run_and_the_page() -> None:
    page = convert(fence('hash_ring scenario="ring-kill" keys="50" seed="7" id="mine"'))
    opening = re.search(r"<sim-widget [^>]*>", page)
    assert opening
    assert 'id="mine"' in opening[0]
    assert 'data-seed="7"' in opening[0]
    overrides = re.search(r'data-overrides="([^"]*)"', opening[0])
    assert overrides
    assert json.loads(html.unescape(overrides[1])) == {"keys": 50}
    assert "of 50 keys moved" in page


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("no_such_pattern", f"a sim fence names one pattern ({KNOWN}), got: no_such_pattern"),
        ("", f"a sim fence names one pattern ({KNOWN}), got: "),
        ('hash_ring scenario="no"', "hash_ring has no scenario 'no', it has: ring-kill"),
        ('hash_ring keys="5"', "keys must be an integer from 10 to 10000, got 5"),
        ('hash_ring color="red"', "Params has no 'color', it has: strategy"),
        ('hash_ring seed="x"', "seed must be an integer of 0 or more, got 'x'"),
        ('hash_ring id="A b"', "id must be a-z, 0-9 and -, from a letter on, got 'A b'"),
    ],
)
def test_a_mistake_stops_the_build_with_a_sentence(header: str, sentence: str) -> None:
    with pytest.raises(SuperFencesException) as caught:
        convert(fence(header))
    assert str(caught.value).startswith(f"sim fence: {sentence}")


def test_embed_pages_follow_the_patterns(tmp_path_factory: pytest.TempPathFactory) -> None:
    docs = tmp_path_factory.mktemp("docs")
    (docs / "chapter-one.md").write_text('```sim hash_ring scenario="jump"\n```\n')
    folder = docs / "embed"
    folder.mkdir()
    (folder / "gone.md").write_text("of a pattern that is gone")
    written = write_embeds(folder)
    assert sorted(page.stem for page in folder.glob("*.md")) == list(pattern_ids())
    assert sorted(folder.rglob("*.md")) == written
    stories = {scenario.id for scenario in load_pattern("hash_ring").scenarios}
    assert {page.stem for page in (folder / "hash_ring").iterdir()} == stories
    text = (folder / "hash_ring" / "jump.md").read_text("utf-8")
    assert "chapter: chapter-one.html" in text
    assert "template: embed.html" in text
    assert widget_html("hash_ring", "jump") in convert(text.rpartition("---\n")[2])
    assert "oembed" not in text
    stamp = written[0].stat().st_mtime_ns
    write_embeds(folder)
    assert written[0].stat().st_mtime_ns == stamp
