"""The content security policy in every built page, and that no page needs more than it allows."""

from __future__ import annotations

import os
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

SITE = Path(__file__).parents[1] / "site"
# Data is not run, so a policy leaves it alone.
DATA = ("application/json", "application/ld+json")

pytestmark = pytest.mark.site

HTML = sorted(SITE.rglob("*.html"))
every_page = pytest.mark.parametrize("path", HTML, ids=lambda p: str(p.relative_to(SITE)))


class Page(HTMLParser):
    """A page's policies, where the first stands, and what a policy without inline code forbids."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.policies: list[str] = []
        self.before: list[str] = []
        self.forbidden: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "meta" and given.get("http-equiv", "").lower() == "content-security-policy":
            self.policies.append(given["content"])
        elif not self.policies:
            self.before.append(tag)
        inline_script = tag == "script" and "src" not in given and given.get("type") not in DATA
        addresses = [given.get(name, "") for name in ("href", "src", "action", "formaction")]
        if (
            inline_script
            or tag in ("style", "base", "object", "embed")
            or "style" in given
            or "srcdoc" in given
            or any(name.startswith("on") for name in given)
            or any(re.match(r"\s*javascript:", address, re.IGNORECASE) for address in addresses)
            or (given.get("http-equiv", "").lower() == "refresh")
        ):
            self.forbidden.append(self.get_starttag_text() or tag)


page_of = cache(Page)


def directives(policy: str) -> dict[str, list[str]]:
    """The sources of each directive; a directive twice would count once, so there must be none."""
    parts = [part.split() for part in policy.split(";")]
    assert len({name for name, *_ in parts}) == len(parts)
    return {name: sources for name, *sources in parts}


def is_embed(path: Path) -> bool:
    return path.is_relative_to(SITE / "embed")


@every_page
def test_a_page_has_one_policy_before_everything_else(path: Path) -> None:
    page = page_of(path)
    assert len(page.policies) == 1
    assert page.before == ["html", "head"]
    # Browsers look for it in the first 1,024 bytes, and the policy comes before it.
    assert b'<meta charset="utf-8">' in path.read_bytes()[:1024]


@every_page
def test_a_page_has_nothing_that_the_policy_forbids(path: Path) -> None:
    assert page_of(path).forbidden == []


def test_the_policy_allows_nothing_inline_no_eval_and_nobody_else() -> None:
    policies = {page_of(path).policies[0] for path in HTML if not is_embed(path)}
    # Instant navigation keeps the first page's policy for the next pages.
    assert len(policies) == 1
    found = directives(policies.pop())
    assert found == {
        "default-src": ["'none'"],
        "script-src": ["'self'", "'wasm-unsafe-eval'"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'", "data:"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "frame-src": ["'self'"],
        "manifest-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


def test_an_embed_page_names_the_site_beside_self_and_nobody_else() -> None:
    own = os.environ.get("SITE_URL") or "http://127.0.0.1:* http://localhost:*"
    [whole] = {page_of(path).policies[0] for path in HTML if not is_embed(path)}
    [embed] = {page_of(path).policies[0] for path in HTML if is_embed(path)}
    wanted = directives(whole)
    for kind in ("script-src", "style-src", "img-src", "font-src"):
        wanted[kind][1:1] = own.split()
    assert directives(embed) == wanted
