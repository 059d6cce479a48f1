"""The figures: their tables against theory and the models, the drawings as parts of a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import markdown
import pytest
from pymdownx.superfences import SuperFencesException

from pysims.figures import FIGURES, draw
from pysims.figures import base as base_of
from pysims.figures.__main__ import main
from pysims.figures.base import Figure, Row, rounded
from pysims.figures.cap import QUORUMS, REPLICAS
from pysims.figures.fence import format_figure, validate_figure
from pysims.figures.html import figure_html, id_of
from pysims.figures.ink import CLASSES, SERIES, TEXT, WIDTH
from tests.test_theme import SCHEMES, contrast, variables

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
STYLES = (DOCS / "assets" / "figures.css").read_text("utf-8")
PHONE_PX = 324
"""What a phone of 360 px leaves for a figure."""
TEXT_PX_MIN = 11
every_figure = pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)

# Which cells are computed again, where all of them would take a minute: (points, series).
PARTS: dict[str, tuple[set[float], set[str]]] = {
    "quorum_latency": ({1, 3, 5}, {"reads, p99", "writes, p99"}),
    "stale_reads": ({1, 2, 3}, {"W = 1", "W = 2"}),
    "load_spread": ({1, 10, 100}, {"mean of 25 rings", "theory"}),
    "cascade_goodput": ({5, 9, 16}, {"timeouts"}),
    "redundancy": ({1, 4}, set(FIGURES["redundancy"].series)),
    "queue_wait": ({50}, {"measured", "formula"}),
    "contended_row": ({40}, {"two-phase commit"}),
    "election_time": ({300}, {"median", "95 of 100"}),
}


def table(name: str) -> dict[str, dict[float, float]]:
    """The table of a figure by column and point, without the cells that have no value."""
    figure = FIGURES[name]
    return {
        series: {point: cell for point, cells in figure.rows() if (cell := cells[at]) is not None}
        for at, series in enumerate(figure.series)
    }


# --- The tables -----------------------------------------------------------------------------------


@every_figure
def test_a_kept_table_is_what_the_models_give(figure: Figure) -> None:
    points, series = PARTS.get(figure.name, (set(figure.points), set(figure.series)))
    compared = 0
    for point, cells in figure.rows():
        for name, kept in zip(figure.series, cells, strict=True):
            if point in points and name in series:
                assert figure.measured(point, name) == kept, (point, name)
                compared += 1
    assert compared == len(points) * len(series)


def test_a_table_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("x,one\n1,2\n", "utf-8")
    assert base_of._read(path, (1,), ("one",)) == ((1.0, (2.0,)),)
    for points, series in (((1, 2), ("one",)), ((1,), ("another",))):
        with pytest.raises(ValueError, match=r"python -m pysims\.figures"):
            base_of._read(path, points, series)


def test_the_command_writes_the_same_table_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = FIGURES["retry_tiers"].path.read_bytes()
    monkeypatch.setattr(base_of, "DATA", tmp_path)
    main(["retry_tiers"])
    assert (tmp_path / "retry_tiers.csv").read_bytes() == kept
    assert capsys.readouterr().out == "retry_tiers.csv: written\n"
    with pytest.raises(SystemExit, match="no figure 'nothing', those are: quorum_latency"):
        main(["nothing"])


def test_every_table_belongs_to_a_figure() -> None:
    assert {path.stem for path in base_of.DATA.iterdir()} == set(FIGURES)
    assert all(figure.path.stem == name == figure.name for name, figure in FIGURES.items())


def test_the_spread_of_the_load_falls_with_the_root_of_the_virtual_nodes() -> None:
    found = table("load_spread")
    for point, mean in found["mean of 25 rings"].items():
        assert mean == pytest.approx(found["theory"][point], rel=0.12)
        # 1/√V, but for the factor √(9/10) of ten servers; at V = 1 the law is still bent.
        assert mean == pytest.approx(100 * (0.9 / point) ** 0.5, rel=0.15)
        assert found["most even"][point] < mean < found["least even"][point]


def test_only_modulo_moves_more_than_the_least_possible() -> None:
    found = table("keys_moved")
    for point, least in found["least possible, 1/(N + 1)"].items():
        assert least == pytest.approx(100 / (point + 1), abs=0.001)
        assert found["modulo"][point] == pytest.approx(100 - least, abs=2)
        for name in ("rendezvous", "jump"):
            # Of 4,000 keys, within four standard deviations.
            scatter = 4 * (least * (100 - least) / 4_000) ** 0.5
            assert found[name][point] == pytest.approx(least, abs=scatter)
        # The new server's arcs scatter besides.
        assert found["ring, 100 virtual nodes"][point] == pytest.approx(least, rel=0.35)


def test_only_the_log_keeps_the_limit_in_every_minute() -> None:
    worst = {}
    for name, times in table("window_boundary").items():
        counts = list(times.items())
        worst[name] = max(
            later - earlier for at, earlier in counts for to, later in counts if 0 < to - at <= 60
        )
    assert worst["sliding window log"] == 100
    assert all(n >= 190 for name, n in worst.items() if name != "sliding window log")
    assert table("window_boundary")["fixed window"][62] == 200
    assert table("window_boundary")["token bucket"][62] < 110


def test_jitter_lowers_the_peak_and_backoff_the_number_of_calls() -> None:
    found = table("backoff_calls")
    peaks = {name: max(counts.values()) for name, counts in found.items()}
    assert peaks["exponential"] == peaks["fixed interval"] == 1_000
    late = {name: max(n for at, n in counts.items() if at >= 0.5) for name, counts in found.items()}
    assert all(late[name] < 600 for name in peaks if "jitter" in name)
    assert sum(found["fixed interval"].values()) > 4 * sum(found["exponential"].values())


def mean_of(counts: dict[float, float], begin: float, end: float) -> float:
    inside = [value for at, value in counts.items() if begin <= at < end]
    return sum(inside) / len(inside)


def test_every_guard_helps_while_e_is_slow_and_naive_retries_do_not() -> None:
    found = table("cascade_goodput")
    ill = {name: mean_of(counts, 6, 10) for name, counts in found.items()}
    after = {name: mean_of(counts, 10, 13) for name, counts in found.items()}
    for name in ("timeouts", "breakers", "bulkheads", "all guards"):
        assert ill[name] > 3 * ill["no guards"]
    assert ill["naive retries"] <= ill["no guards"]
    assert mean_of(found["naive retries"], 14, 18) < 2
    assert mean_of(found["no guards"], 15, 18) > 15
    for name in ("breakers", "bulkheads", "all guards"):
        assert after[name] > after["timeouts"] + 3


def test_redundancy_is_what_the_formula_says() -> None:
    found = table("redundancy")
    for point, share in found["independent, formula"].items():
        assert share == pytest.approx(100 * 0.01**point, rel=1e-4)
    flat = found["one in ten shared, formula"]
    assert flat[2] < 0.2 * flat[1]
    assert flat[4] > 0.9 * flat[3] > 0.8 * flat[2]
    for kind in ("independent", "one in ten shared"):
        measured, formula = found[f"{kind}, measured"], found[f"{kind}, formula"]
        assert set(measured) == {1, 2, 3}
        for point in (1, 2):
            assert measured[point] == pytest.approx(formula[point], rel=0.3)
        # A few outages in all: only the order of magnitude is sure.
        assert formula[3] / 3 < measured[3] < 3 * formula[3]


def test_retries_multiply_without_a_budget() -> None:
    found = table("retry_tiers")
    for attempts in (1, 2, 3):
        name = f"{attempts} attempt{'s' if attempts > 1 else ''}"
        assert found[name] == {tier: attempts**tier for tier in range(4)}
    assert 1 < found["3 attempts, with a budget"][3] < 2


def test_the_queue_waits_as_long_as_the_formula_says() -> None:
    found = table("queue_wait")
    for point, wait in found["measured"].items():
        assert found["formula"][point] == pytest.approx(point / (100 - point), rel=1e-4)
        assert wait == pytest.approx(found["formula"][point], rel=0.05 if point < 90 else 0.2)


def test_a_quorum_is_as_slow_as_the_slowest_that_it_needs() -> None:
    found = table("quorum_latency")
    for times in found.values():
        assert list(times.values()) == sorted(times.values())
    for kind in ("reads", "writes"):
        assert found[f"{kind}, median"][5] < 4 * found[f"{kind}, median"][1]
        assert found[f"{kind}, p99"][5] > 20 * found[f"{kind}, p99"][1]


def test_no_read_is_stale_when_the_quorums_overlap() -> None:
    for name, shares in table("stale_reads").items():
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        for r, share in shares.items():
            if r + QUORUMS[name] > REPLICAS:
                assert share == 0
    assert table("stale_reads")["W = 1"][1] > 50


def test_a_lock_is_held_for_a_round_trip_to_the_slowest() -> None:
    found = table("lock_time")
    for times in found.values():
        assert max(times.values()) < 1.08 * min(times.values())
    for point, near_ms in found["all equally far"].items():
        for farther in (15, 30):
            far_ms = found[f"one farther by {farther} ms"][point]
            assert far_ms - near_ms == pytest.approx(2 * farther, rel=0.12)


def test_one_row_bounds_two_phase_commit_and_not_the_saga() -> None:
    found = table("contended_row")
    both = found["two-phase commit"], found["saga"]
    assert both[0][20] == pytest.approx(both[1][20], rel=0.1)
    assert both[0][80] == pytest.approx(both[0][60], rel=0.05)
    assert both[1][80] > 1.8 * both[0][80]
    assert both[1][80] > 0.85 * found["orders that came"][80]


def test_a_narrow_range_of_timeouts_splits_votes_and_a_wide_one_waits() -> None:
    for times in table("election_time").values():
        best = min(times, key=lambda point: times[point])
        assert 20 < best < 300
        assert times[10] > 3 * times[best] or times[600] > 1.2 * times[best]
    slow = table("election_time")["95 of 100"]
    assert slow[10] > 3 * slow[100]


# --- The drawings ---------------------------------------------------------------------------------


XLINK = "{http://www.w3.org/1999/xlink}href"


def parsed(written: str) -> ET.Element:
    return ET.fromstring(written)  # noqa: S314  # written a moment ago


def svg_of(figure: Figure) -> ET.Element:
    return parsed(draw(figure.name, "What it shows: <b> & “more”."))


@every_figure
def test_a_drawing_says_what_it_shows(figure: Figure) -> None:
    svg = svg_of(figure)
    assert svg.attrib["role"] == "img"
    said = [next(part for part in svg if part.get("id") == at) for at in labels_of(svg)]
    assert [part.tag for part in said] == ["title", "desc"]
    assert [part.text for part in said] == [figure.title, "What it shows: <b> & “more”."]


def labels_of(svg: ET.Element) -> list[str]:
    return svg.attrib["aria-labelledby"].split()


@every_figure
def test_a_drawing_has_real_text_that_a_phone_shows_large_enough(figure: Figure) -> None:
    svg = svg_of(figure)
    left, top, width, height = map(float, svg.attrib["viewBox"].split())
    assert (left, top, width, height) == (0, 0, WIDTH, figure.height)
    texts = list(svg.iter("text"))
    assert len(texts) > 4
    size = re.search(r"\.fig-text \{ font: ([\d.]+)px", STYLES)
    assert size
    assert float(size[1]) == TEXT
    assert TEXT * PHONE_PX / WIDTH >= TEXT_PX_MIN
    for text in texts:
        assert "font-size" not in text.attrib
        assert "fig-text" in text.attrib["class"].split()
        assert 0 <= float(text.attrib["x"]) <= width, text.text
        assert 0 <= float(text.attrib["y"]) <= height, text.text


@every_figure
def test_the_words_of_a_drawing_fit_into_it(figure: Figure) -> None:
    # The letters of Source Sans are a little less than half as wide as high, on average.
    letter_px = 0.5 * TEXT
    for text in svg_of(figure).iter("text"):
        words = "".join(text.itertext())
        share = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.get("text-anchor", "start")]
        begin = float(text.attrib["x"]) - share * letter_px * len(words)
        assert begin > -6, words
        assert begin + letter_px * len(words) < WIDTH + 8, words


@every_figure
def test_nothing_is_drawn_outside_of_a_drawing(figure: Figure) -> None:
    for part in svg_of(figure).iter():
        # Material writes to `href`, which an SVG's element does not allow.
        assert "href" not in part.attrib
        if part.tag == "use":
            places = [(float(part.attrib["x"]), float(part.attrib["y"]))]
        elif part.tag == "path" and "id" not in part.attrib:
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", part.attrib["d"])]
            places = list(zip(numbers[::2], numbers[1::2], strict=True))
        else:
            continue
        for x, y in places:
            assert 0 <= x <= WIDTH
            assert 20 <= y <= figure.height


@every_figure
def test_a_drawing_takes_its_colors_from_the_page(figure: Figure) -> None:
    written = draw(figure.name)
    assert "style=" not in written
    assert "<style" not in written
    assert not re.search(r"#[0-9a-f]{6}\b", written)
    known = {name for pair in CLASSES.values() for name in pair} | {"fig-svg", "fig-text"}
    used = {name for part in parsed(written).iter() for name in part.get("class", "").split()}
    assert used <= known
    styles = STYLES + (DOCS / "assets" / "sim.css").read_text("utf-8")
    for name in used:
        assert re.search(rf"\.{name}\b[^{{]*\{{", styles), name


@every_figure
def test_a_drawing_tells_its_lines_apart_without_colors(figure: Figure) -> None:
    lines: dict[str, set[str]] = {}
    svg = svg_of(figure)
    marks = {part.get("id"): part.get("d", "") for part in svg.iter("path") if part.get("id")}
    for part in svg.iter():
        color = re.search(r"sim-(?:fill|stroke)(\d)", part.get("class", ""))
        if color and part.tag == "path":
            lines.setdefault(color[1], set()).add(f"dash {part.get('stroke-dasharray')}")
        if color and part.tag == "use":
            lines.setdefault(color[1], set()).add(marks[part.attrib[XLINK][1:]])
    if figure.name not in ("backoff_calls", "cascade_goodput"):  # a panel for each, with its name
        assert len({frozenset(forms) for forms in lines.values()}) == len(lines)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_colors_of_the_lines_stand_out(scheme: str) -> None:
    colors = variables(scheme)
    names = [f"c{index}" for index in range(len(SERIES))] + ["ink", "ink-muted", "line-strong"]
    for name in names:
        for surface in ("surface", "surface-raised"):
            assert contrast(colors[name], colors[surface]) >= 3, (name, surface)


@every_figure
def test_ids_begin_with_the_name_of_the_figure_and_are_used(figure: Figure) -> None:
    written = draw(figure.name)
    ids = re.findall(r'\bid="([^"]*)"', written)
    assert len(ids) == len(set(ids))
    for name in ids:
        assert name.startswith(f"{id_of(figure.name)}-")
        assert written.count(name) > 1
    assert len({id_of(name) for name in FIGURES}) == len(FIGURES)


PROBE = """
import hashlib
from pysims.figures import FIGURES, draw
print(hashlib.sha256("".join(map(draw, FIGURES)).encode()).hexdigest())
"""


def test_two_processes_draw_the_same_bytes() -> None:
    found = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        probe = [sys.executable, "-c", PROBE]
        done = subprocess.run(probe, env=env, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_what_is_drawn_before_changes_nothing() -> None:
    once = draw("load_spread")
    draw("keys_moved")
    assert draw("load_spread") == once


# --- The figure in its page -----------------------------------------------------------------------


def fences() -> list[tuple[Path, str, str]]:
    """(page, name, words) of every figure of the prose."""
    return [
        (page, found[1], found[2])
        for page in sorted(DOCS.glob("*.md"))
        for found in re.finditer(
            r"^```figure +(\S*)\n(.*?)\n```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
    ]


def test_every_figure_is_used_once() -> None:
    assert sorted(name for _, name, _ in fences()) == sorted(FIGURES)


def test_every_header_is_one_that_superfences_takes_for_a_fence() -> None:
    headers = [
        line
        for page in DOCS.rglob("*.md")
        for line in page.read_text("utf-8").splitlines()
        if re.match(r"\s*```+ *figure\b", line)
    ]
    assert len(headers) == len(FIGURES)
    for line in headers:
        assert re.fullmatch(r"```figure [a-z_]+", line)


def convert(text: str) -> str:
    fence = {
        "name": "figure",
        "class": "figure",
        "format": format_figure,
        "validator": validate_figure,
    }
    return markdown.markdown(
        text,
        extensions=["pymdownx.superfences"],
        extension_configs={"pymdownx.superfences": {"custom_fences": [fence]}},
    )


class Reader(HTMLParser):
    """The elements of a page with the words in each, and whether all of them are closed."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append((self.open[-1] if self.open else "", data))


@pytest.mark.parametrize(("page", "name", "words"), fences(), ids=[f[1] for f in fences()])
def test_a_fence_becomes_drawing_caption_and_table(page: Path, name: str, words: str) -> None:
    html = convert(f"Before.\n\n```figure {name}\n{words}\n```\n\nAfter.\n")
    assert "<p><figure" not in html
    assert "<p>After.</p>" in html
    figure, read = FIGURES[name], Reader(html)
    assert read.open == []
    said = " ".join(words.split())
    assert ("desc", said) in read.words
    assert ("strong", f"{figure.title}.") in read.words
    assert ("p", f" {said}") in read.words
    assert ("code", f'pysims.figures.draw("{name}")') in read.words
    cells = [text for tag, text in read.words if tag in ("td", "span")]
    assert len(cells) == len(figure.points) * len(figure.series)
    assert html.count('scope="row"') == len(figure.points)
    assert html.count('scope="col"') == 1 + len(figure.series)


def test_what_the_words_say_is_escaped() -> None:
    html = convert('```figure load_spread\n<b>One</b> & "two"\n```\n')
    assert "<b>" not in html
    assert Reader(html).open == []
    assert ("desc", '<b>One</b> & "two"') in Reader(html).words


def test_the_call_links_to_its_source_if_that_has_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "<a " not in figure_html("load_spread", "Words.")
    monkeypatch.setenv("REPO_URL", "https://forge.example/who/what/")
    html = convert("```figure load_spread\nWords.\n```\n")
    address = "https://forge.example/who/what/blob/HEAD/pysims/figures/consistent_hashing.py"
    assert f'<a href="{address}"><code>' in html
    assert (ROOT / address.partition("/HEAD/")[2]).exists()


@pytest.mark.parametrize(
    ("header", "words", "problem"),
    [
        ("no_such", "Words.", "there is no figure 'no_such', those are: quorum_latency, "),
        ("load_spread keys_moved", "Words.", "names one figure and no more, got: load_spread, key"),
        ('load_spread size="2"', "Words.", "names one figure and no more, got: load_spread, size"),
        ("", "Words.", "names one figure and no more, got: nothing"),
        ("load_spread", "  ", "figure 'load_spread' needs a sentence that says in words"),
    ],
)
def test_a_mistake_stops_the_build(header: str, words: str, problem: str) -> None:
    with pytest.raises(SuperFencesException, match=re.escape(problem)):
        convert(f"```figure {header}\n{words}\n```\n")


def test_a_figure_that_cannot_be_drawn_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> tuple[Row, ...]:
        raise KeyError("lost")

    monkeypatch.setattr(Figure, "rows", broken)
    with pytest.raises(SuperFencesException, match="lost"):
        convert("```figure load_spread\nWords that no other test has.\n```\n")


def test_digits_are_kept_to_what_a_picture_shows() -> None:
    assert rounded(None) is None
    assert rounded(1 / 3) == 0.333333
    assert rounded(1_234_567.0) == 1_234_570
