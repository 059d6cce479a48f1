"""What Markdown calls on a page of questions: it tells search engines the same in their own words.

    markdown_extensions:
      - pysims.questions

A page opts in by wrapping its questions in `<div class="faq" markdown>`. Each heading of the second
level in there is a question, and the first paragraph below it is the answer; what follows, such as
where to see it, is for readers only. From the finished HTML of the page, and so from the same words
that a reader sees, this writes an `FAQPage` as JSON-LD (https://schema.org/FAQPage) to its end.
Without such a wrapper a page stays as it is.

JSON-LD rather than microdata, because the attributes of microdata would stand between the words of
the Markdown, and because a heading carries a link to itself that is no part of the question.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor

VOID = frozenset({"br", "col", "hr", "img", "input", "source", "wbr"})
LAST = 0
"""Below the priorities of Python-Markdown's own, so that nothing is left to be filled in."""


@dataclass
class Question:
    """A question and its answer as plain text."""

    name: str = ""
    answer: str = ""


class Reader(HTMLParser):
    """Collects the questions of a page: headings and first paragraphs inside of `div.faq`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.path: list[tuple[str, str]] = []
        self.found: list[Question] = []
        self.answering = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        self.path.append((tag, dict(attrs).get("class") or ""))
        if tag == "h2" and self.inside("div", "faq"):
            self.found.append(Question())
            self.answering = True

    def handle_endtag(self, tag: str) -> None:
        while self.path and self.path.pop()[0] != tag:
            pass
        if tag == "p":
            self.answering = False

    def handle_data(self, data: str) -> None:
        # A reference to a footnote and a heading's link to itself are no words.
        if not self.answering or self.inside("sup") or self.inside("a", "headerlink"):
            return
        if self.inside("h2"):
            self.found[-1].name += data
        elif self.inside("p"):
            self.found[-1].answer += data

    def inside(self, tag: str, of_class: str = "") -> bool:
        return any(
            tag == one and (not of_class or of_class in classes.split())
            for one, classes in self.path
        )


def questions_of(html: str) -> list[Question]:
    """The questions of a page's HTML. `ValueError` for one without a paragraph below it."""
    found = []
    for question in Reader(html).found:
        read = Question(" ".join(question.name.split()), " ".join(question.answer.split()))
        if not read.answer:
            raise ValueError(f"the question {read.name[:60]!r} has no answer")
        found.append(read)
    return found


def structured(questions: list[Question]) -> str:
    """The questions as a script element with JSON-LD."""
    data = {
        "@context": "https://schema.org",
        "@type": "FAQPage",
        "mainEntity": [
            {
                "@type": "Question",
                "name": question.name,
                "acceptedAnswer": {"@type": "Answer", "text": question.answer},
            }
            for question in questions
        ],
    }
    # An end tag inside of a script would end it.
    text = json.dumps(data, ensure_ascii=False, indent=1).replace("<", "\\u003c")
    return f'<script type="application/ld+json">\n{text}\n</script>'


class Structured(Postprocessor):
    """Appends the structured data to a page that has questions."""

    def run(self, text: str) -> str:
        if 'class="faq"' not in text:
            return text
        return f"{text}\n{structured(questions_of(text))}"


class Questions(Extension):
    """The extension that Python-Markdown loads by the name of this module."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # Python-Markdown's name
        md.postprocessors.register(Structured(md), "questions", LAST)


def makeExtension(**options: Any) -> Questions:  # noqa: N802  # Python-Markdown's name
    return Questions(**options)
