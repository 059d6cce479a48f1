"""The chapters' own numbers and code: what a sentence takes from a run is what that run gives.

A number that depends on a seeded run is written `` `#!run name = value` `` (`pysims.numbers`).
Examples in Python are executed.
"""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from pymdownx.inlinehilite import InlineHiliteException

import pysims
from pysims.numbers import NUMBERS, noted, number
from pysims.numbers.__main__ import FORM, main, renewed
from pysims.numbers.inline import format_run, number_html
from pysims.numbers.runs import run_of, sources_of

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("api/*.md")), DOCS.parent / "README.md"]


def marked() -> list[tuple[str, str]]:
    """(name, value) of every number of every page."""
    return [(form[1], form[2]) for page in PAGES for form in FORM.finditer(page.read_text("utf-8"))]


def test_every_number_of_a_run_is_used_and_known() -> None:
    assert {name for name, _ in marked()} == set(NUMBERS)


@pytest.mark.parametrize(("name", "value"), marked(), ids=[name for name, _ in marked()])
def test_a_sentence_says_what_its_run_gives(name: str, value: str) -> None:
    assert number(name)[0] == value


def test_a_number_links_to_the_figure_of_its_page_or_to_the_run_alone() -> None:
    words = "lww balance = 450"
    html = number_html(words, {"cap-theorem-ap-lww"})
    assert html.startswith('<a class="sim-number" href="#cap-theorem-ap-lww" title="Computed by')
    assert html.endswith(">450</a>")
    assert 'href="embed/cap_theorem/ap-lww.html"' in number_html(words)
    assert number_html("ocean km = 6,550") == '<span class="sim-number">6,550</span>'


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("lww balance = 451", "'lww balance' is 450, and the text says 451"),
        ("lww balance", "'lww balance' is 450, and the text says nothing"),
        ("lww cents = 1", "no number 'lww cents', those about lww are: lww balance, lww lost"),
        ("<b> = 1", "no number '<b>'"),
    ],
)
def test_a_wrong_number_stops_the_build(words: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        number_html(words)

    class Page:
        """All that the form asks of a `Markdown`: a place to keep something."""

    with pytest.raises(InlineHiliteException, match=re.escape(problem)):
        format_run(words, "run", "run", Page())


def test_what_is_kept_keeps_its_sources() -> None:
    calls = []

    @noted
    def length(scenario: str) -> int:
        calls.append(scenario)
        return len(run_of("hash_ring", scenario).history)

    first = sources_of(lambda: length("ring-kill"))
    assert sources_of(lambda: length("ring-kill")) == first
    assert first[1] == (("hash_ring", "ring-kill"),)
    assert calls == ["ring-kill"]


def test_a_page_is_brought_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("Left are $`#!run lww balance = 1`, lost $`#!run lww lost`.", "utf-8")
    main([str(page)])
    assert page.read_text("utf-8") == (
        "Left are $`#!run lww balance = 450`, lost $`#!run lww lost = 100`."
    )
    assert "page.md: brought up to date" in capsys.readouterr().out
    main([str(page)])
    assert capsys.readouterr().out == ""
    assert renewed("`#!python x = 1`") == "`#!python x = 1`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_print_what_it_says(page: Path) -> None:
    examples = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(test).failed == 0


def test_the_example_of_the_package_prints_what_it_says() -> None:
    assert doctest.testmod(pysims).attempted > 0
    assert doctest.testmod(pysims).failed == 0
