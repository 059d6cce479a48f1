"""The ten questions: short answers with sources, and structured data in the same words.

The page is read from the HTML that Python-Markdown makes of it, and once more as it was built.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import markdown
import pytest

from pysims.numbers.__main__ import FORM
from pysims.questions import Question, questions_of

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faq.md"
EXTENSIONS = ("attr_list", "footnotes", "md_in_html", "tables")
DATA = re.compile(r'<script type="application/ld\+json">\n(.*?)\n</script>', re.DOTALL)
# "J. Jones" ends no sentence, and no answer has a name with an initial.
SENTENCE_END = re.compile(r"[.?!](?= [A-Z]|$)")

# What the page answers, in this order.
ASKED = (
    "What is the CAP theorem?",
    "What is the difference between consistent hashing and regular hashing?",
    "How does a circuit breaker prevent cascade failures?",
    "Why use exponential backoff instead of immediate retries?",
    "What is split brain in distributed systems?",
    "What is the difference between Raft and Paxos?",
    "How does Netflix's Chaos Monkey work?",
    "What is the bulkhead pattern?",
    "How do rate limiters work in distributed systems?",
    "What are the five nines of availability?",
)


def rendered(text: str) -> str:
    return markdown.markdown(text, extensions=[*EXTENSIONS, "toc", "pysims.questions"])


def body(path: Path) -> str:
    """A page without its metadata, and with its numbers as plain text."""
    text = path.read_text("utf-8").split("---\n", 2)[2]
    return FORM.sub(lambda form: form[2], text)


@cache
def page() -> str:
    return rendered(body(PAGE))


def sections() -> dict[str, str]:
    """The Markdown below each question."""
    parts = re.split(r"^## (.*)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def data_of(html: str) -> dict[str, object]:
    (text,) = DATA.findall(html)
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_ten_questions_are_asked_in_their_order() -> None:
    assert tuple(question.name for question in questions_of(page())) == ASKED


@pytest.mark.parametrize("asked", ASKED)
def test_an_answer_has_two_to_five_sentences_and_a_source(asked: str) -> None:
    answer = next(question.answer for question in questions_of(page()) if question.name == asked)
    assert 2 <= len(SENTENCE_END.findall(answer)) <= 5
    answer_in_markdown = sections()[asked].strip().partition("\n\n")[0]
    assert re.search(r"\[\^[\w-]+\]", answer_in_markdown)


@pytest.mark.parametrize("asked", ASKED)
def test_a_question_leads_to_figures_that_show_its_answer(asked: str) -> None:
    _, _, below = sections()[asked].strip().partition("\n\n")
    assert below.startswith("**See it:** ")
    links = re.findall(r"\]\(([\w-]+\.md)#([\w-]+)\)", below)
    assert links
    for chapter, anchor in links:
        fences = re.findall(
            r'^```sim (\w+) scenario="([\w-]+)"',
            (PAGE.parent / chapter).read_text("utf-8"),
            re.MULTILINE,
        )
        assert anchor in {f"{pattern}-{story}".replace("_", "-") for pattern, story in fences}


def test_the_structured_data_says_what_the_page_says() -> None:
    data = data_of(page())
    assert (data["@context"], data["@type"]) == ("https://schema.org", "FAQPage")
    assert data["mainEntity"] == [
        {
            "@type": "Question",
            "name": question.name,
            "acceptedAnswer": {"@type": "Answer", "text": question.answer},
        }
        for question in questions_of(page())
    ]


@pytest.mark.site
def test_the_built_page_has_the_same_structured_data() -> None:
    assert data_of((ROOT / "site" / "faq.html").read_text("utf-8")) == data_of(page())


@pytest.mark.site
def test_no_other_page_claims_to_be_one_of_questions() -> None:
    claiming = [
        path.name for path in (ROOT / "site").glob("*.html") if "FAQPage" in path.read_text("utf-8")
    ]
    assert claiming == ["faq.html"]


SMALL = """
## Not asked

Not answered.

<div class="faq" markdown>

## Is 1 < 2, *really*?

Yes:[^a] it is `</script>`
in every **order**.

See elsewhere.

</div>

[^a]: A source.
"""


def test_only_the_words_of_the_wrapped_questions_are_read() -> None:
    html = markdown.markdown(
        SMALL,
        extensions=[*EXTENSIONS, "toc", "pysims.questions"],
        extension_configs={"toc": {"permalink": True}},
    )
    assert questions_of(html) == [
        Question("Is 1 < 2, really?", "Yes: it is </script> in every order.")
    ]
    assert html.count("</script>") == 1
    assert "acceptedAnswer" in str(data_of(html))


def test_a_page_without_questions_stays_as_it_is() -> None:
    text = "## Why?\n\nBecause."
    assert rendered(text) == markdown.markdown(text, extensions=[*EXTENSIONS, "toc"])


def test_a_question_without_an_answer_stops_the_build() -> None:
    with pytest.raises(ValueError, match="the question 'Why' has no answer"):
        rendered('<div class="faq" markdown>\n\n## Why\n\n</div>')
