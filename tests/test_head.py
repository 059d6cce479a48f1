"""What a page tells other sites about itself, and its last line: cards, tags, dates."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from PIL import Image

from pysims.prose import cards, dates
from pysims.prose.pages import pages

ROOT = Path(__file__).parents[1]

# ---- Cards ---------------------------------------------------------------------------------------


def png(name: str) -> bytes:
    file = BytesIO()
    cards.draw_card(*cards.words_of(name), cards.run_of(name)).save(file, "png", optimize=True)
    return file.getvalue()


@pytest.mark.parametrize("name", ["index", "cap"])
def test_a_card_is_the_same_every_time_and_has_the_size_that_its_tag_says(name: str) -> None:
    first = png(name)
    assert first == png(name)
    assert Image.open(BytesIO(first)).size == (1200, 630)
    assert len(first) < 300_000


@pytest.mark.parametrize("name", pages())
def test_every_page_has_a_title_and_a_description(name: str) -> None:
    title, description = cards.words_of(name)
    assert title
    assert 50 < len(description) < 420


def test_a_run_is_drawn_with_its_causes() -> None:
    history = cards.run_of("cap")
    assert history is not None
    found = cards.caused(history, 40)
    assert found
    numbers = {sequence: time_ms for time_ms, sequence, _ in history.causes()}
    assert all(numbers[cause] <= numbers.get(effect, 10**9) for cause, effect in found)
    assert cards.run_of("glossary") is None


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    style = cards.font(cards.SANS, 27, 400)
    lines = cards.wrapped("one two three four five six, seven", style, 110, 2)
    assert lines == ["one two", "three …"]
    assert cards.wrapped("one", style, 90, 2) == ["one"]
    assert cards.wrapped("", style, 90, 2) == []


def test_cards_of_pages_that_are_gone_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "pages", lambda: {"glossary": "Glossary"})
    (tmp_path / "gone.png").touch()
    cards.main(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["glossary.png"]


# ---- Tags ----------------------------------------------------------------------------------------


def head(site_url: str, source_url: str = "", **page: Any) -> str:
    """What the theme's block adds to the head of a page."""
    base = jinja2.DictLoader({"base.html": "{% block extrahead %}{% endblock %}"})
    own = jinja2.FileSystemLoader(ROOT / "overrides")
    environment = jinja2.Environment(loader=jinja2.ChoiceLoader([base, own]), autoescape=False)  # noqa: S701  # as MkDocs has it
    environment.filters["url"] = str
    config = SimpleNamespace(
        site_url=site_url,
        site_name="Site & Co",
        site_description="Of all.",
        extra={"source_url": source_url},
    )
    return environment.get_template("main.html").render(page=SimpleNamespace(**page), config=config)


PAGE: dict[str, Any] = {
    "url": "cap.html",
    "canonical_url": "https://example.org/chaos/cap.html",
    "title": "CAP",
    "is_homepage": False,
    "meta": {"title": "CAP & <PACELC>", "description": 'What a "cut" costs.'},
}


def test_a_page_tells_other_sites_its_title_and_its_picture() -> None:
    tags = dict(
        re.findall(
            r'<meta (?:property|name)="([^"]+)" content="([^"]*)">',
            head("https://example.org/chaos/", **PAGE),
        )
    )
    assert tags["og:title"] == tags["twitter:title"] == "CAP &amp;"
    assert tags["og:description"] == tags["twitter:description"] == "What a &#34;cut&#34; costs."
    assert tags["og:url"] == "https://example.org/chaos/cap.html"
    assert tags["og:image"] == "https://example.org/chaos/assets/cards/cap.png"
    assert tags["twitter:card"] == "summary_large_image"
    assert tags["og:type"] == "article"
    assert tags["og:site_name"] == "Site &amp; Co"


def test_a_page_knows_where_its_source_is_if_somebody_said_so() -> None:
    told = head("", source_url="https://example.org/us/", **PAGE)
    assert '<meta name="sim-source" content="https://example.org/us/blob/main/">' in told
    assert "sim-source" not in head("", **PAGE)


def test_without_an_address_of_the_site_there_is_no_picture() -> None:
    html = head("", **PAGE | {"canonical_url": None})
    assert "og:image" not in html
    assert '<meta name="twitter:card" content="summary">' in html


def test_robots_learn_the_site_map_where_there_is_one() -> None:
    template = jinja2.Template((ROOT / "overrides" / "robots.txt").read_text("utf-8"))
    known = template.render(config=SimpleNamespace(site_url="https://example.org/chaos/"))
    assert known.splitlines()[-1] == "Sitemap: https://example.org/chaos/sitemap.xml"
    assert "Sitemap" not in template.render(config=SimpleNamespace(site_url=""))


# ---- The last line -------------------------------------------------------------------------------


def last_line(url: str, source_url: str, partial: str | None) -> str:
    """What stands below a page."""
    own: dict[str, str] = {} if partial is None else {"generated/dates.html": partial}
    files = jinja2.FileSystemLoader(ROOT / "overrides" / "partials")
    environment = jinja2.Environment(  # noqa: S701  # as MkDocs has it
        loader=jinja2.ChoiceLoader([jinja2.DictLoader(own), files])
    )
    page = SimpleNamespace(url=url, is_homepage=url == "index.html")
    config = SimpleNamespace(extra={"source_url": source_url})
    html = environment.get_template("source-file.html").render(page=page, config=config)
    return " ".join(html.split())


def test_a_page_says_when_it_last_changed_and_where_to_change_it() -> None:
    days = {"index": dt.date(2026, 1, 2), "cap": dt.date(2026, 3, 9), "faq": dt.date(2025, 12, 31)}
    line = last_line("cap.html", "https://example.org/repo", dates.partial(days))
    assert 'Last changed on <time datetime="2026-03-09">March 9, 2026</time>.' in line
    assert "January" not in line
    assert 'href="https://example.org/repo/edit/main/docs/cap.md"' in line
    assert last_line("index.html", "", dates.partial(days)) == ""


@pytest.mark.parametrize("partial", [None, dates.partial({})])
def test_without_git_nothing_is_said_about_days(partial: str | None) -> None:
    assert last_line("cap.html", "", partial) == '<p class="site-updated"> </p>'


def commit(folder: Path, message: str, day: str) -> None:
    command = [
        "git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false",
    ]  # fmt: skip
    subprocess.run([*command, "add", "."], cwd=folder, check=True)
    subprocess.run(
        [*command, "commit", "--quiet", "-m", message],
        cwd=folder,
        check=True,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "GIT_COMMITTER_DATE": f"{day}T12:00:00Z",
        },
    )


def test_days_are_those_of_the_last_commits_and_a_shallow_clone_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    (whole / "docs").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "."], cwd=whole, check=True)
    (whole / "docs" / "cap.md").write_text("one", "utf-8")
    commit(whole, "one", "2026-03-08")
    (whole / "docs" / "faq.md").write_text("two", "utf-8")
    commit(whole, "two", "2026-03-09")
    monkeypatch.setattr(dates, "pages", lambda: {"cap": "CAP", "faq": "FAQ", "new": "New"})
    monkeypatch.setattr(dates, "ROOT", whole)
    assert dates.dates() == {"cap": dt.date(2026, 3, 8), "faq": dt.date(2026, 3, 9)}
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{whole}", shallow], check=True)
    monkeypatch.setattr(dates, "ROOT", shallow)
    assert dates.dates() == {}
    monkeypatch.setattr(dates, "ROOT", tmp_path)
    assert dates.dates() == {}


def test_the_partial_is_written_only_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "generated" / "dates.html"
    monkeypatch.setattr(dates, "dates", lambda: {"cap": dt.date(2026, 3, 8)})
    dates.main(path)
    before = path.stat().st_mtime_ns
    dates.main(path)
    assert path.stat().st_mtime_ns == before
    monkeypatch.setattr(dates, "dates", dict)
    dates.main(path)
    assert "time" not in path.read_text("utf-8")
