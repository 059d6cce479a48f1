"""Keeps `docs/claims.toml`: every sentence of the prose with a number in it, and what holds it up.

A sentence of a page is a claim if it has a number (`quantities.py` says what one is). Every number
of it must be accounted for:

- by a footnote in the sentence (`notes`), or at the end of the passage it stands in (`under`);
- by a run, if it is written `` `#!run name = value` `` (`runs`);
- by a `setting`: a parameter, a moment of the script or a constant of the scenario that the
  sentence speaks of. It is compared with that scenario (`reckoning.py`);
- by `arithmetic`, which is reckoned;
- as a `definition`: true by the meaning of the words, a formula, or a name; or as an `example`: a
  premise that the sentence supposes. Both say in a few words why the number needs no more.

The first two are found in the page, the others are written by hand into `claims.toml`, behind the
sentence. `python -m pysims.prose.claims` brings the file up to date: it adds what is new, with
`todo = true` where a hand is needed, drops what is gone, and prints what is wrong. A reason that
was given for other numbers than the sentence has now gets its `todo` back.

A footnote that calculates is no source; it has neither an address nor a year. The file names such
footnotes in `derivations`; their sentences are claims like those of the text, and a sentence that
cites no other footnote has to be reckoned. Pages that are `left_out` are not walked, for the reason
given there.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from ..numbers import NUMBERS
from .reckoning import numbers_checked, verify
from .sentences import DEFINITION, Sentence, sentences_of

Entry: TypeAlias = dict[str, Any]
DOCS = Path(__file__).parents[2] / "docs"
FILE = "claims.toml"
WORDS = 10
SOURCE = re.compile(r"https?://|\b(?:19|20)\d\d\b")
FOUND = ("numbers", "runs", "notes", "under")
CHECKED = ("setting", "arithmetic")
EXCUSED = ("definition", "example")
KINDS = ("sourced", "computed", *CHECKED, *EXCUSED)
HEAD = """\
# Every sentence of the pages with a number in it, and what holds the number up.
# `python -m pysims.prose.claims` brings this file up to date and says what it lacks;
# pysims/prose/claims.py says what each key means. Written by hand are `setting`, `arithmetic`,
# `definition`, `example`, `derivations` and `left_out`; all else is found in the pages.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as far as its claims are concerned."""

    name: str
    text: str
    derivations: tuple[str, ...] = ()

    def claims(self) -> Iterator[Sentence]:
        """The sentences with numbers, each text once, those of derivations last."""
        seen = set()
        for sentence in (*sentences_of(self.text), *self.derived()):
            if (sentence.numbers or sentence.runs) and sentence.text not in seen:
                seen.add(sentence.text)
                yield sentence

    def derived(self) -> Iterator[Sentence]:
        """The sentences of the footnotes that calculate."""
        notes = definitions_of(self.text)
        for key in self.derivations:
            line, words = notes.get(key, (0, ""))
            for sentence in sentences_of(words):
                yield replace(sentence, line=line + sentence.line - 1)

    def sources(self, keys: Iterable[str]) -> list[str]:
        """Those of the footnotes that are sources."""
        return [key for key in keys if key not in self.derivations]


def definitions_of(text: str) -> dict[str, tuple[int, str]]:
    """Footnote → its line, and what it says."""
    found = {}
    for definition in DEFINITION.finditer(text):
        key, _, words = definition[0].partition("]:")
        if key.startswith("[^"):
            line = text.count("\n", 0, definition.start()) + 1
            found[key[2:]] = line, re.sub(r"^[ ]+", "", words, flags=re.MULTILINE)
    return found


def figures_on(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\*\*Figure (\d+)\.\*\*", text)}


# --- What holds a sentence up ---------------------------------------------------------------------


def entry_of(entries: Iterable[Entry], text: str) -> Entry | None:
    """The entry that speaks of a sentence: the one with the longest beginning of it."""
    fitting = [entry for entry in entries if text.startswith(entry["says"])]
    return max(fitting, key=lambda entry: len(entry["says"]), default=None)


def unaccounted(page: Page, sentence: Sentence, entry: Mapping[str, Any]) -> list[str]:
    """The typed numbers of a sentence that nothing holds up."""
    by_hand = hand_written(entry)
    if page.sources(sentence.notes) or any(kind in by_hand for kind in EXCUSED):
        return []
    if page.sources(sentence.under) and not by_hand:
        return []
    checks = [check for kind in CHECKED for check in by_hand.get(kind, ())]
    checked = {number.replace(",", "") for check in checks for number in numbers_checked(check)}
    return [number for number in sentence.numbers if number.replace(",", "") not in checked]


def hand_written(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: entry[kind] for kind in (*CHECKED, *EXCUSED) if kind in entry}


def kinds_of(entry: Mapping[str, Any]) -> list[str]:
    """Of which kinds a claim is; one that is of several counts as each of them."""
    kinds = []
    if "notes" in entry or ("under" in entry and not hand_written(entry)):
        kinds.append("sourced")
    if "runs" in entry:
        kinds.append("computed")
    return [*kinds, *hand_written(entry)]


# --- The file -------------------------------------------------------------------------------------


def beginnings(texts: list[str]) -> dict[str, str]:
    """Text → its first words, as many as tell it from all other texts."""
    found = {}
    for text in texts:
        words = text.split(" ")
        for count in range(WORDS, len(words) + 1):
            start = " ".join(words[:count])
            if sum(other.startswith(start) for other in texts) == 1:
                break
        else:
            start = text
        found[text] = start
    return found


def renewed(page: Page, entries: list[Entry]) -> list[Entry]:
    """The entries of a page as they ought to be; what is written by hand is kept."""
    claims = list(page.claims())
    says = beginnings([claim.text for claim in claims])
    found = []
    for claim in claims:
        old = entry_of(entries, claim.text) or {}
        entry: Entry = {"says": says[claim.text], **found_in(claim, hand_written(old))}
        entry |= hand_written(old)
        if unaccounted(page, claim, entry) or to_be_read_again(entry, old):
            entry["todo"] = True
        found.append(entry)
    return found


def to_be_read_again(entry: Entry, old: Entry) -> bool:
    """Whether a reason was given for other numbers, and nobody has taken `todo` away since."""
    excused = any(kind in entry for kind in EXCUSED)
    return excused and (old.get("todo", False) or entry.get("numbers") != old.get("numbers"))


def found_in(claim: Sentence, by_hand: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry takes from its sentence."""
    facts = {
        "numbers": claim.numbers,
        "runs": claim.runs,
        "notes": claim.notes,
        "under": () if by_hand or not claim.numbers else claim.under,
    }
    return {key: list(value) for key, value in facts.items() if value}


def written(book: Mapping[str, Any]) -> str:
    """The file's text."""
    parts = [HEAD]
    if book.get("left_out"):
        parts.append("\n[left_out]\n")
        parts += [f"{name} = {literal(why)}\n" for name, why in sorted(book["left_out"].items())]
    for name, page in book.items():
        if name != "left_out":
            parts.append(f"\n[{name}]\n")
            if page.get("derivations"):
                parts.append(f"derivations = {literal(page['derivations'])}\n")
            lines = "".join(f"    {literal(entry)},\n" for entry in page["claims"])
            parts.append(f"claims = [\n{lines}]\n")
    return "".join(parts)


def literal(value: Any) -> str:
    """A value as TOML; a table stands on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {literal(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def read(docs: Path) -> dict[str, Any]:
    """The file as it is."""
    file = docs / FILE
    return tomllib.loads(file.read_text("utf-8")) if file.exists() else {}


def pages_of(docs: Path, book: Mapping[str, Any]) -> list[Page]:
    """The pages that are walked."""
    return [
        Page(path.stem, path.read_text("utf-8"),
             tuple(book.get(path.stem, {}).get("derivations", ())))
        for path in sorted(docs.glob("*.md"))
        if path.stem not in book.get("left_out", {})
    ]  # fmt: skip


def renewed_book(docs: Path) -> dict[str, Any]:
    """The file as it ought to be."""
    book = read(docs)
    fresh: dict[str, Any] = {"left_out": book.get("left_out", {})}
    for page in pages_of(docs, book):
        kept = {"derivations": list(page.derivations)} if page.derivations else {}
        known = book.get(page.name, {}).get("claims", [])
        fresh[page.name] = {**kept, "claims": renewed(page, known)}
    return fresh


# --- What is wrong --------------------------------------------------------------------------------


def problems(docs: Path = DOCS) -> Iterator[str]:
    """What is wrong with the claims of the pages, a sentence each; none if all is well."""
    book = read(docs)
    pages = pages_of(docs, book)
    for page in pages:
        yield from problems_of(page, book.get(page.name, {}).get("claims", []))
    there = {"left_out", *(page.stem for page in docs.glob("*.md"))}
    for name in sorted({*book, *book.get("left_out", {})} - there):
        yield f"{FILE}: there is no page {name}.md"
    if book and written(book) != (docs / FILE).read_text("utf-8"):
        yield f"{FILE} is not as `python -m pysims.prose.claims` writes it"


def problems_of(page: Page, entries: list[Entry]) -> Iterator[str]:
    yield from missing_figures(page)
    yield from unknown_derivations(page)
    told: set[str] = set()
    for claim in page.claims():
        where = f"{page.name}.md:{claim.line} “{claim.text[:60]}”"
        entry = entry_of(entries, claim.text)
        if entry is None:
            yield f"{where} is not listed in {FILE}"
            continue
        told.add(entry["says"])
        for key in sorted({*claim.notes, *claim.under} - {*definitions_of(page.text)}):
            yield f"{where}: there is no footnote {key!r} on the page"
        for number in () if "todo" in entry else unaccounted(page, claim, entry):
            yield f"{where}: nothing holds up {number!r}"
        yield from problems_of_entry(where, claim, entry)
    for entry in entries:
        if entry["says"] not in told:
            yield f"{FILE}: no sentence of {page.name}.md begins with “{entry['says'][:60]}”"


def unknown_derivations(page: Page) -> Iterator[str]:
    """A footnote without an address and a year cites nobody, so it has to be a derivation."""
    notes = definitions_of(page.text)
    for key, (line, words) in notes.items():
        if key not in page.derivations and not SOURCE.search(words):
            yield f"{page.name}.md:{line}: footnote {key!r} cites nobody: list it in `derivations`"
    for key in page.derivations:
        if key not in notes:
            yield f"{FILE}: {page.name}.md has no footnote {key!r}"


def missing_figures(page: Page) -> Iterator[str]:
    figures = figures_on(page.text)
    for sentence in sentences_of(page.text):
        for figure in sentence.figures:
            if figure not in figures:
                yield f"{page.name}.md:{sentence.line}: there is no Figure {figure} on the page"


def problems_of_entry(where: str, claim: Sentence, entry: Entry) -> Iterator[str]:
    """What is wrong with an entry of the file, given its sentence."""
    found = found_in(claim, hand_written(entry))
    if "todo" in entry:
        yield f"{where}: somebody has to say what holds it up, and to take `todo` away"
    for key, value in found.items():
        if entry.get(key) != value:
            yield f"{where}: {key} are {value}, and {FILE} says {entry.get(key)}"
    for key in entry:
        if key not in ("says", "todo", *FOUND, *CHECKED, *EXCUSED):
            yield f"{where}: {key!r} is no key of a claim"
        elif key in FOUND and key not in found:
            yield f"{where}: the sentence has no {key}"
    yield from (f"{where}: there is no number {name!r}" for name in {*claim.runs} - {*NUMBERS})
    yield from (f"{where}: {problem}" for problem in what_does_not_hold(entry))


def what_does_not_hold(entry: Entry) -> Iterator[str]:
    """Of what is written by hand: the checks that fail, and the reasons that are missing."""
    for kind in EXCUSED:
        if kind in entry and not (isinstance(entry[kind], str) and entry[kind].strip()):
            yield f"{kind} gives no reason"
    for kind in CHECKED:
        for check in entry.get(kind, ()):
            try:
                verify(check, setting=kind == "setting")
            except ValueError as problem:
                yield str(problem)


def counts(book: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Page → kind → how many of its claims are of that kind."""
    return {
        name: Counter(kind for entry in page["claims"] for kind in kinds_of(entry))
        + Counter(claims=len(page["claims"]))
        for name, page in book.items()
        if name != "left_out"
    }


def by_hand_of(book: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(page, beginning) of the entries in which something is written by hand."""
    pages = {name: page for name, page in book.items() if name != "left_out"}
    return {
        (name, entry["says"])
        for name, page in pages.items()
        for entry in page.get("claims", ())
        if hand_written(entry)
    }


def main(docs: Path = DOCS) -> int:
    """Bring the file up to date, print its counts and what is wrong, return how much is."""
    before, fresh = read(docs), renewed_book(docs)
    for name, says in sorted(by_hand_of(before) - by_hand_of(fresh)):
        print(f"{name}: what was written by hand of “{says}” has gone, or begins otherwise now")
    (docs / FILE).write_text(written(fresh), "utf-8")
    for name, count in counts(fresh).items():
        kinds = ", ".join(f"{count[kind]} {kind}" for kind in KINDS if count[kind])
        print(f"{name}: {count['claims']} claims: {kinds}")
    wrong = list(problems(docs))
    print("\n".join(wrong))
    return len(wrong)


if __name__ == "__main__":
    raise SystemExit(1 if main() else 0)
