"""The quizzes: every option explains itself, and its verdict says what its class says.

A question is an admonition `quiz` that holds one collapsed block, `right` or `wrong`, for each
option (docs/assets/theme.css, section 14). The questions are read from the HTML that
Python-Markdown makes of a chapter, and once more from what both site builders make of it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import markdown
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OTHER_PAGES = frozenset(
    {
        "index",
        "faq",
        "folklore",
        "sources",
        "glossary",
        "offline",
        "embed",
        "use-in-your-docs",
        "how-it-works",
        "measurements",
    }
)
CHAPTERS = [path for path in sorted(DOCS.glob("*.md")) if path.stem not in OTHER_PAGES]
SECTION = "Check yourself"
EXTENSIONS = (
    "admonition",
    "attr_list",
    "footnotes",
    "md_in_html",
    "tables",
    "pymdownx.details",
    "pymdownx.superfences",
)
VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
VERDICTS = {"right": "Right.", "wrong": "Wrong."}
# What a question says when more than one of its options is right.
SEVERAL = {"(two are right)": 2, "(three are right)": 3}
# A verdict alone is no explanation.
EXPLANATION_CHARS_MIN = 40

every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


@dataclass
class Option:
    classes: list[str]
    is_open: bool
    text: str = ""
    explanation: str = ""
    emphasized: str = ""


@dataclass
class Question:
    section: str
    text: str = ""
    options: list[Option] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects the questions of a page and the section that each stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.path: list[tuple[str, list[str]]] = []
        self.section = ""
        self.questions: list[Question] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        if tag == "h2":
            self.section = ""
        if tag == "div" and "quiz" in classes:
            self.questions.append(Question(self.section))
        if tag == "details" and self.inside("div", "quiz"):
            self.questions[-1].options.append(Option(classes, "open" in given))
        self.path.append((tag, classes))

    def handle_endtag(self, tag: str) -> None:
        while any(tag == one for one, _ in self.path):
            if self.path.pop()[0] == tag:
                return

    def handle_data(self, data: str) -> None:
        if self.inside("h2") and not self.inside("a"):
            self.section += data
        if not self.inside("div", "quiz"):
            return
        question = self.questions[-1]
        if self.inside("p", "admonition-title"):
            question.text += data
        elif self.inside("summary"):
            question.options[-1].text += data
        elif self.inside("details"):
            option = question.options[-1]
            if self.inside("strong") and option.explanation.strip() == option.emphasized:
                option.emphasized += data
            option.explanation += data

    def inside(self, tag: str, of_class: str = "") -> bool:
        return any(
            tag == one and (not of_class or of_class in classes) for one, classes in self.path
        )


def read(html: str) -> list[Question]:
    return Reader(html).questions


def without_figures(text: str) -> str:
    """The page for renderers that know no figure: they would take the end of one for a start."""
    return re.sub(r"^```(?:sim|figure) [^`]*\n```$", "", text, flags=re.MULTILINE)


def rendered(text: str) -> str:
    return markdown.markdown(without_figures(text), extensions=list(EXTENSIONS))


@cache
def questions_of(chapter: Path) -> list[Question]:
    return read(rendered(chapter.read_text("utf-8")))


def faults_of_option(option: Option, letter: str) -> list[str]:
    kinds = [kind for kind in VERDICTS if kind in option.classes]
    found = []
    if not option.text.startswith(f"{letter}) "):
        found.append(f"option {letter} begins with {option.text[:3]!r}")
    if option.is_open:
        found.append(f"option {letter} is open from the start")
    if len(kinds) != 1:
        found.append(f"option {letter} has the classes {option.classes}")
    elif option.emphasized != VERDICTS[kinds[0]]:
        found.append(f"option {letter} is {kinds[0]} and says {option.explanation.strip()[:20]!r}")
    if len(option.explanation.strip()) < EXPLANATION_CHARS_MIN:
        found.append(f"option {letter} is not explained")
    if re.search(r"[✓✔✕✗✘]|\((right|wrong|correct|incorrect)\)", option.text, re.IGNORECASE):
        found.append(f"option {letter} gives its answer away")
    return found


def faults(question: Question) -> list[str]:
    """What is wrong with a question, one sentence each."""
    found = []
    if not 2 <= len(question.options) <= 5:
        found.append(f"it has {len(question.options)} options")
    for letter, option in zip("abcdefgh", question.options, strict=False):
        found += faults_of_option(option, letter)
    promised = next((n for words, n in SEVERAL.items() if words in question.text), 1)
    right = sum("right" in option.classes for option in question.options)
    if right != promised:
        found.append(f"{right} of its options are right, and it promises {promised}")
    return found


@every_chapter
def test_every_option_explains_itself_and_the_promised_number_is_right(chapter: Path) -> None:
    assert {question.text: faults(question) for question in questions_of(chapter)} == {
        question.text: [] for question in questions_of(chapter)
    }


@every_chapter
def test_a_chapter_ends_with_three_to_five_questions(chapter: Path) -> None:
    asked = [question for question in questions_of(chapter) if question.section == SECTION]
    assert 3 <= len(asked) <= 5


@every_chapter
def test_the_questions_of_a_section_are_numbered_from_one(chapter: Path) -> None:
    numbers: dict[str, list[str]] = {}
    for question in questions_of(chapter):
        numbers.setdefault(question.section, []).append(question.text.partition(". ")[0])
    for section, given in numbers.items():
        assert given == [str(number) for number in range(1, len(given) + 1)], section


@every_chapter
def test_the_right_answer_has_no_favorite_letter(chapter: Path) -> None:
    asked = [question for question in questions_of(chapter) if question.section == SECTION]
    right = [
        letter
        for question in asked
        for letter, option in zip("abcdefgh", question.options, strict=False)
        if "right" in option.classes
    ]
    assert max(right.count(letter) for letter in right) < len(asked)


def test_the_quiz_on_cap_asks_about_five_scenarios_and_stocks_first() -> None:
    asked = [q for q in questions_of(DOCS / "cap.md") if q.section == "CP or AP? A quiz"]
    assert len(asked) == 5
    assert "stock trading" in asked[0].text
    assert any(
        "right" in option.classes and "depends" in option.text
        for question in asked
        for option in question.options
    )


BAD = {
    "no option is right": '??? wrong "b) No"\n\n        **Wrong.** {why}',
    "two options are right": '??? right "b) Yes"\n\n        **Right.** {why}\n\n    {right}',
    "the verdict is missing": '??? right "b) Yes"\n\n        {why}',
    "the verdict contradicts": '??? right "b) Yes"\n\n        **Wrong.** {why}',
    "no explanation": '??? right "b) Yes"\n\n        **Right.** Indeed.',
    "open from the start": '???+ right "b) Yes"\n\n        **Right.** {why}',
    "the letter is missing": '??? right "Yes"\n\n        **Right.** {why}',
    "given away": '??? right "b) Yes (correct)"\n\n        **Right.** {why}',
    "neither right nor wrong": '??? note "b) Yes"\n\n        **Right.** {why}',
}
WHY = "Because of something that takes a sentence to say."
GOOD = f'??? right "b) Yes"\n\n        **Right.** {WHY}'


def question_with(second: str) -> Question:
    first = f'??? wrong "a) No"\n\n        **Wrong.** {WHY}'
    third = f'??? right "c) Yes"\n\n        **Right.** {WHY}'
    text = f'!!! quiz "1. Is it?"\n\n    {first}\n\n    {second}\n'
    (question,) = read(rendered(text.format(why=WHY, right=third)))
    return question


@pytest.mark.parametrize("second", BAD.values(), ids=BAD)
def test_a_bad_question_is_found(second: str) -> None:
    assert faults(question_with(GOOD)) == []
    assert faults(question_with(second))


@pytest.mark.site
@every_chapter
def test_the_built_page_has_the_same_questions(chapter: Path) -> None:
    built = read((ROOT / "site" / f"{chapter.stem}.html").read_text("utf-8"))
    assert built == questions_of(chapter)


@pytest.mark.site
@every_chapter
def test_zensical_makes_the_same_questions(chapter: Path, tmp_path: Path) -> None:
    listed = "".join(f"  - {name}\n" for name in EXTENSIONS)
    (tmp_path / "mkdocs.yml").write_text(f"site_name: Quiz\nmarkdown_extensions:\n{listed}")
    (tmp_path / "docs").mkdir()
    page = without_figures(chapter.read_text("utf-8"))
    (tmp_path / "docs" / "index.md").write_text(page, "utf-8")
    zensical = Path(sys.executable).parent / "zensical"
    subprocess.run([zensical, "build"], cwd=tmp_path, check=True, capture_output=True)
    assert read((tmp_path / "site" / "index.html").read_text("utf-8")) == questions_of(chapter)
