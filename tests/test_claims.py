"""Every number of the prose is held up, and what holds it up is true (`docs/claims.toml`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

from pysims.consistency import Operation, check_linearizable
from pysims.prose.claims import DOCS, FILE, KINDS, counts, main, problems, read, written
from pysims.prose.quantities import figures_in, numbers_in, worth
from pysims.prose.reckoning import FUNCTIONS, evaluate, numbers_checked, verify
from pysims.prose.sentences import Sentence, sentences_of

PAGE = """\
---
title: A page of 12 lines
---

# A page

**Figure 1.** Watch 40 messages.

```sim raft scenario="99"
```

Once upon a time, and more exactly in 1998, Lamport told a story of 3 islands. It has 40
laws.[^ptp] The summary has 27 pages.

Heartbeats go out, so that none of the others loses patience, every 50 ms, which makes 20 a second.
Suppose 7 servers. Of 2*f* + 1 of them, *f* may fail, and left
are `#!run lww balance = 450` dollars.

[^ptp]: L. Lamport: *The Part-Time Parliament*, 1998, pp. 133–169.
"""
BY_HAND = {
    "Figure #. Watch 40": 'example = "a count"',
    "The summary has 27": 'arithmetic = ["27 = 3 ** 3"]',
    "Heartbeats go out": 'setting = ["raft: 50 = heartbeat_interval_ms"], '
    'arithmetic = ["20 = 1000 / 50"]',
    "Suppose 7 servers": 'example = "any number"',
    "Of 2f + 1": 'definition = "a formula"',
}


def filled(text: str, by_hand: dict[str, str]) -> str:
    """The file with something written by hand instead of each `todo`."""
    for says, keys in by_hand.items():
        line = re.compile(rf'^(.*says = "{re.escape(says)}.*), todo = true', re.MULTILINE)
        found = line.findall(text)
        assert len(found) == 1, says
        text = text.replace(f"{found[0]}, todo = true", f"{found[0]}, {keys}")
    return text


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with one page whose claims are in order."""
    (tmp_path / "page.md").write_text(PAGE, "utf-8")
    main(tmp_path)
    file = tmp_path / FILE
    file.write_text(filled(file.read_text("utf-8"), BY_HAND), "utf-8")
    assert list(problems(tmp_path)) == []
    return tmp_path


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), "utf-8")


def one(text: str) -> Sentence:
    (sentence,) = sentences_of(text)
    return sentence


# --- The pages ------------------------------------------------------------------------------------


def test_every_number_of_the_pages_is_held_up() -> None:
    assert list(problems()) == []


def test_the_file_is_as_it_is_written() -> None:
    assert written(read(DOCS)) == (DOCS / FILE).read_text("utf-8")


def test_every_page_is_walked_and_every_kind_occurs() -> None:
    book = read(DOCS)
    walked = set(book) - {"left_out"}
    assert walked | set(book.get("left_out", {})) == {page.stem for page in DOCS.glob("*.md")}
    total = sum(counts(book).values(), Counter())
    assert all(total[kind] > 20 for kind in KINDS)


# --- What is wrong is found -----------------------------------------------------------------------

WRONG_PAGES = {
    "a new sentence": ("The summary has", "So do 8 others. The summary has", "not listed"),
    "a changed number": ("every 50 ms", "every 60 ms", "nothing holds up '60'"),
    "a changed number of a source": ("of 3 islands", "of 4 islands", "numbers are ['1998', '4']"),
    "a lost footnote": ("laws.[^ptp]", "laws.", "nothing holds up '1998'"),
    "a footnote of another page": ("laws.[^ptp]", "laws.[^abc]", "no footnote 'abc'"),
    "an unknown run": ("#!run lww balance", "#!run lww euros", "no number 'lww euros'"),
    "a lost sentence": ("Suppose 7 servers.", "", "no sentence of page.md begins with “Suppose 7"),
    "a figure that is not there": ("# A page", "# A page\n\nSee Figure 2.", "no Figure 2"),
    "a changed premise": ("Suppose 7", "Suppose 9", "not listed"),
}


@pytest.mark.parametrize(("old", "new", "problem"), WRONG_PAGES.values(), ids=WRONG_PAGES)
def test_what_a_page_lacks_is_found(docs: Path, old: str, new: str, problem: str) -> None:
    changed(docs / "page.md", old, new)
    assert any(problem in found for found in problems(docs))


WRONG_FILES = {
    "a setting": ("raft: 50 = heart", "raft: 50 = 2 * heart", "the right side is 100"),
    "a field": ("= heartbeat_interval_ms", "= heartbeat_ms", "'heartbeat_ms' is not known"),
    "a scenario": ("raft: 50", "raft/nobody: 50", "raft has no scenario 'nobody'"),
    "arithmetic": ("27 = 3 ** 3", "27 = 3 ** 2", "does not hold: the right side is 9"),
    "another number": ("20 = 1000 / 50", "21 = 1000 / 50 + 1", "nothing holds up '20'"),
    "a setting that is none": ("raft: 50 = heartbeat_interval_ms", "50 = 50", "is no setting"),
    "arithmetic of a scenario": ("27 = 3 ** 3", "raft: 27 = 3 ** 3", "is no arithmetic"),
    "no check at all": ("27 = 3 ** 3", "27", "is not of the form"),
    "no reason": ('"any number"', '" "', "example gives no reason"),
    "an unknown kind": ('example = "any number"', 'guess = "seven"', "'guess' is no key"),
    "a claim that is gone": (
        "\nclaims = [\n",
        '\nclaims = [\n    { says = "Gone", numbers = ["5"], example = "x" },\n',
        "no sentence of page.md begins with “Gone”",
    ),
    "a todo": ('example = "any number"', 'example = "any number", todo = true', "take `todo` away"),
    "another footnote": ('notes = ["ptp"]', 'notes = ["raft"]', "notes are ['ptp']"),
    "an invented run": ('runs = ["lww balance"]', 'runs = ["lww lost"]', "runs are"),
    "a page that is not there": ("\n[page]\n", "\n[gone]\nclaims = []\n\n[page]\n", "no page gone"),
    "another form": ("numbers = [", "numbers =  [", "is not as"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_what_the_file_says_wrongly_is_found(docs: Path, old: str, new: str, problem: str) -> None:
    text = (docs / FILE).read_text("utf-8")
    assert old in text
    (docs / FILE).write_text(text.replace(old, new, 1), "utf-8")
    assert any(problem in found for found in problems(docs))


def test_a_folder_without_the_file_has_nothing_in_order(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("There are 12 of them.\n", "utf-8")
    assert list(problems(tmp_path)) == [
        "page.md:1 “There are 12 of them.” is not listed in claims.toml"
    ]


# --- The file is brought up to date ---------------------------------------------------------------


def test_what_is_written_by_hand_is_kept(docs: Path) -> None:
    before = (docs / FILE).read_text("utf-8")
    assert main(docs) == 0
    assert (docs / FILE).read_text("utf-8") == before
    # A sentence that comes in between, and a figure, change nothing of the others.
    changed(docs / "page.md", "# A page\n", "# A page\n\nFirst, 15 words.\n")
    changed(docs / "page.md", "**Figure 1.**", "**Figure 2.**")
    assert main(docs) == 1
    after = (docs / FILE).read_text("utf-8")
    (new,) = set(after.splitlines()) - set(before.splitlines())
    assert new == '    { says = "First, 15 words.", numbers = ["15"], todo = true },'


def test_a_reason_is_read_again_when_the_number_has_changed(
    docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(docs / "page.md", "450` dollars.", "450` of 12 dollars.")
    assert main(docs) == 1
    assert main(docs) == 1
    entry = 'numbers = ["1", "12"], runs = ["lww balance"], definition = "a formula", todo = true'
    assert entry in (docs / FILE).read_text("utf-8")
    changed(docs / FILE, ', definition = "a formula", todo = true', ', definition = "a formula"')
    assert main(docs) == 0
    assert "page: 6 claims: 1 sourced, 1 computed, 1 setting" not in capsys.readouterr().out


def test_what_is_dropped_is_said(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(docs / "page.md", "Suppose 7 servers.", "")
    main(docs)
    assert "“Suppose 7 servers.” has gone" in capsys.readouterr().out


def test_a_page_may_be_left_out_for_a_reason(docs: Path) -> None:
    (docs / "list.md").write_text("1. One of 12 papers.\n", "utf-8")
    assert any("list.md:1" in found for found in problems(docs))
    changed(docs / FILE, "\n[page]\n", '\n[left_out]\nlist = "it is generated"\n\n[page]\n')
    assert list(problems(docs)) == []
    (docs / "list.md").unlink()
    assert list(problems(docs)) == ["claims.toml: there is no page list.md"]


def test_a_footnote_that_calculates_is_no_source(tmp_path: Path) -> None:
    page = "It is 96 percent.[^sum] So 4 are left.\n\n[^sum]: Four steps: 0.99⁴ is 0.961.\n"
    (tmp_path / "page.md").write_text(page, "utf-8")
    main(tmp_path)
    unlisted = "page.md:3: footnote 'sum' cites nobody: list it in `derivations`"
    assert unlisted in list(problems(tmp_path))
    text = (tmp_path / FILE).read_text("utf-8")
    (tmp_path / FILE).write_text(
        text.replace("[page]\n", '[page]\nderivations = ["sum"]\n'), "utf-8"
    )
    assert main(tmp_path) == 3
    changed(tmp_path / FILE, 's = ["sum"]\nclaims', 's = ["sum", "difference"]\nclaims')
    assert "claims.toml: page.md has no footnote 'difference'" in list(problems(tmp_path))
    changed(tmp_path / FILE, '"sum", "difference"', '"sum"')
    hand = {
        "It is 96 percent": 'arithmetic = ["96 = 100 * 0.99 ** 4"]',
        "So 4 are left": 'arithmetic = ["4 = 100 - 96"]',
        "Four steps": 'arithmetic = ["0.961 = 0.99 ** 4"]',
    }
    text = filled((tmp_path / FILE).read_text("utf-8"), hand)
    (tmp_path / FILE).write_text(text, "utf-8")
    assert list(problems(tmp_path)) == []


# --- Sentences ------------------------------------------------------------------------------------


def texts(page: str) -> list[str]:
    return [sentence.text for sentence in sentences_of(page)]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("One is here. Two\nis there.\n", ["One is here.", "Two is there."]),
        ("C. Mohan and Lee B. Jones et al. wrote it. It is A. The key is B.", [
            "C. Mohan and Lee B. Jones et al. wrote it.", "It is A.", "The key is B."]),
        ("**Figure 7.** Watch it, as in Figure 1. No *other* will do.", [
            "Figure #. Watch it, as in Figure #.", "No other will do."]),
        ("It takes\n5. The rest waits.\n", ["It takes 5.", "The rest waits."]),
        ('Here.\n\n```sim raft x="1"\n2\n```\n\n```figure f\nA caption.\n```\nThere.', [
            "Here.", "A caption.", "There."]),
        ("1. First.\n2. Second\n   goes on.\n- Third.", ["First.", "Second goes on.", "Third."]),
        ("> Quoted\n> twice.\n", ["Quoted twice."]),
        ("| a | b |\n|---|--:|\n| 1 | **2** |\n", ["a | b", "1 | 2"]),
        ('!!! quiz "3. Is it? Yes."\n\n    ??? wrong "a) No"\n\n        **Wrong.** No.\n', [
            "Is it?", "Yes.", "a) No", "Wrong.", "No."]),
        ("See [the 2 figures](a.md#x-3) and <https://a.b/4>.", ["See the 2 figures and ."]),
        ("Take `hash mod 12` or `#!run lww lost = 100`.", ["Take hash mod ·· or …."]),
        ('<div class="x-1" markdown>\nText<!-- 3 -->.\n</div>\n', ["Text."]),
        ("*[API]: 3 words\n[^a]: Of 1998.\n    p. 3\n\n    And 4.\n\nText.\n", ["Text."]),
    ],
)  # fmt: skip
def test_a_page_is_split_into_sentences(page: str, found: list[str]) -> None:
    assert texts(page) == found


def test_a_footnote_holds_for_its_sentence_and_the_passage_before_it() -> None:
    page = (
        "A is 12. B is 13.[^b] C is 14.\n\nD is 15.\n\n| x[^x] |\n|---|\n| 16 |\n\n- E is 17.[^e]\n"
    )
    found = {s.text[0]: (s.notes, s.under) for s in sentences_of(page)}
    assert found == {
        "A": ((), ("b",)),
        "B": (("b",), ()),
        "C": ((), ()),
        "D": ((), ()),
        "x": (("x",), ()),
        "1": ((), ("x",)),
        "E": (("e",), ()),
    }


def test_a_figure_of_another_page_is_not_looked_for() -> None:
    assert one("See Figures 2 to 4 and Figure 9.").figures == (2, 3, 4, 9)
    assert one("See Figure 9 of [the chapter](cap.md#x).").figures == ()
    assert figures_in("Figures 1, 2 and 5; figure 3") == (1, 2, 5, 3)


# --- Numbers --------------------------------------------------------------------------------------

NUMBERS: dict[str, dict[str, float]] = {
    "6,550 km, 99.9 percent and 1/8": {"6,550": 6550, "99.9": 99.9, "1": 1, "8": 8},
    "1.2 million of 17M; 400 million": {"1.2 million": 1.2e6, "17": 17, "400 million": 4e8},
    "twenty-five, a hundred and fifty, two hundred thousand": {
        "twenty-five": 25, "a hundred and fifty": 150, "two hundred thousand": 200_000},
    "a dozen, three thousand, hundreds": {"a dozen": 12, "three thousand": 3000, "hundreds": 100},
    "half the keys, two thirds, a fiftieth of it": {
        "half": 0.5, "two thirds": 2 / 3, "a fiftieth": 0.02},
    "one and a half times, twice as much": {"one and a half": 1.5, "twice": 2},
    "ten percent, five times as many": {"ten": 10, "five": 5},
    "from 9:37 on; this is over at 10:00:30": {"9:37": 577, "10:00:30": 600.5},
    "0.99⁵ and 2¹⁴ and 16ⁿ": {"0.99": 0.99, "2": 2, "16": 16},
}  # fmt: skip
NAMES = [
    "two leaders and three steps, told twice",
    "S1 and p99.9, MD5 and BLAKE2b, 2PC and 5xx, HTTP/2, RFC 6585, KIP-595",
    "Figure 3, Figures 4 to 6, step 2, order 1, term 4, reader 1, §5.4.2",
    "half done, a half-open breaker, the second half, a third replica",
    "a second and a minute, the first and the fifth",
]


@pytest.mark.parametrize(("text", "numbers"), NUMBERS.items())
def test_numbers_are_found_and_known(text: str, numbers: dict[str, float]) -> None:
    assert {number: pytest.approx(worth(number)) for number in numbers_in(text)} == numbers


@pytest.mark.parametrize("text", NAMES)
def test_names_and_small_counts_are_no_numbers(text: str) -> None:
    assert numbers_in(text) == ()


def test_what_is_no_number_has_no_worth() -> None:
    with pytest.raises(ValueError, match="'many' is no number"):
        worth("many")
    assert worth("three quarters") == Fraction(3, 4)


# --- Checks ---------------------------------------------------------------------------------------

TRUE = [
    "4.9 = 100 * (1 - 0.99 ** 5)",
    "half = 10 / 20",
    "a dozen ≈ 12.5",
    "2,001 > 2000",
    "80 < {ocean round trip}",
    "raft: 150 = election_timeout_ms_min",
    "cap_theorem/ap-lww: 50 = event[2].amount",
    "cap_theorem/ap-lww: 500 = START + event[1].amount",
    "cap_theorem/ap-stale: 40 = time[0]",
    "hash_ring/virtual-nodes: 1,000 = high.virtual_nodes",
    "raft: 1 = events",
    "numbers.rate_limiting: 100 = INTERVALS_MS[0]",
]
FALSE = {
    "4.8 = 100 * (1 - 0.99 ** 5)": "does not hold",
    "a dozen = 12.5": "does not hold",
    "a dozen ≈ 14": "does not hold",
    "80 > 81": "does not hold",
    "12 = 1 / 0": "cannot be reckoned",
    "12 = time[9]": "'time' is not known",
    "cap_theorem: 12 = time[99]": "cannot be reckoned",
    "raft: 12 = event[0].age": "cannot be reckoned",
    "raft: 12 = event": "which is no number",
    "raft: 5 = event[0].__class__": "is not known, or no arithmetic",
    "12 = __import__(3)": "is not known, or no arithmetic",
    "12 = 'a' * 3": "is not known, or no arithmetic",
    "12 = (lambda: 12)()": "is not known, or no arithmetic",
    "12 = max(1, key=2)": "is not of the form",
    "12 = 12 +": "cannot be reckoned",
    "12 = ~3": "is not known, or no arithmetic",
    "12 = 3 | 4": "is not known, or no arithmetic",
    "many = 12": "'many' is no number",
    "12 = {no such}": "there is no number 'no such'",
    "12 = {day refused between}": "no numeral in 'day refused between'",
    "nobody: 12 = 12": "there is no pattern 'nobody'",
    "numbers.nobody: 12 = 12": "module 'numbers.nobody' cannot be had",
}


@pytest.mark.parametrize("check", TRUE)
def test_a_check_that_holds(check: str) -> None:
    verify(check, setting=bool(re.match(r"[a-z_.]+[/:]", check)))


@pytest.mark.parametrize(("check", "problem"), FALSE.items())
def test_a_check_that_does_not_hold_says_why(check: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        verify(check, setting=bool(re.match(r"[a-z_.]+[/:]", check)))


def test_a_check_accounts_for_its_number_and_for_those_it_reckons_with() -> None:
    assert numbers_checked("22.5 = 90 * 0.25") == {"22.5", "90", "0.25"}
    assert numbers_checked("raft: half = s1 / 2") == {"half", "2"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("harmonic(4)", 25 / 12),
        ("harmonic(2, 2)", 1.25),
        ("at_least(2, 3, 0.99)", 0.999702),
        ("ceil(log2(15000)) - floor(0.5) + int(float(3)) % 2 // 1", 15),
        ("max(1, 2) ** comb(4, 2) + min(3, 4) + sqrt(4) + exp(0)", 70),
    ],
)
def test_the_functions_of_the_checks(expression: str, value: float) -> None:
    assert evaluate(expression, {}) == pytest.approx(value)
    assert len(FUNCTIONS) < 20


# --- What `claims.toml` says that a test holds ----------------------------------------------------


def rows_of(page: str, head: str) -> Iterator[list[str]]:
    """The cells of a table's rows."""
    lines = (DOCS / page).read_text("utf-8").split(head)[1].splitlines()[2:]
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip().strip("*") for cell in line.strip("|").split("|")]


def operation(process: str, cell: str) -> list[Operation]:
    found = re.fullmatch(r"(\d+), from (\d+) to (\d+) ms", cell)
    return [Operation(process, "read", None, *map(int, found.groups()))] if found else []


def test_the_checker_gives_the_verdicts_of_the_table_of_histories() -> None:
    write = Operation("writer", "write", 500, None, 0, 100)
    table = list(rows_of("cap.md", "| reader 1 | reader 2 | linearizable? |"))
    assert len(table) == 4
    for first, second, verdict in table:
        reads = [*operation("reader 1", first), *operation("reader 2", second)]
        judged = bool(check_linearizable([write, *reads], initial=400))
        assert judged is verdict.startswith("yes"), (first, second)


def test_the_table_of_remainders_is_what_modulo_gives() -> None:
    table = list(rows_of("consistent-hashing.md", "| moves? |"))
    assert [int(row[0]) for row in table] == list(range(12))
    for number, before, after, moves in table:
        assert (before, after) == ("ABCD"[int(number) % 4], "ABC"[int(number) % 3])
        needless = "yes, needlessly" if before != after else "no"
        assert moves == ("yes, D is dead" if before == "D" else needless)


def test_the_ways_to_divide_five_nodes_are_counted() -> None:
    groups = Counter(
        len(set(way))
        for way in product(range(5), repeat=5)
        if all(group <= max(way[:place], default=-1) + 1 for place, group in enumerate(way))
    )
    note = re.search(r"^\[\^bell\]:.*\n.*", (DOCS / "leader-election.md").read_text(), re.MULTILINE)
    assert note is not None
    assert [groups[count] for count in range(1, 6)] == [1, 15, 25, 10, 1]
    said = "1 way with one group, 15 with two, 25 with three, 10 with four and 1 with five"
    assert said in " ".join(note[0].split())
