"""One stylesheet for a page instead of seven: what holds up its first paint is one request.

On a phone's network each further file costs a round trip, or a connection, before anything is to be
seen. The parts stay where they are; other sites may load them one by one.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

# The name has no digest: a page that a browser kept from before an update must find its styles.
PAGES = "styles.css"
EMBEDS = "embed-styles.css"
LINK = re.compile(r'[ \t]*<link rel="stylesheet" href="([^"]*?\bassets/)([^"]+\.css)">\n?')
# What a stylesheet points to, unless it is within it or elsewhere.
POINTER = re.compile(r"""url\(\s*(["']?)(?![#/"']|[a-z]+:)([^"')]+)\1\s*\)""")
CHARSET = re.compile(r'@charset "[^"]*";\s*', re.IGNORECASE)
# Of our own files, which no quoted text with these signs is in. Material's has no comments left.
COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
# Material's rule against transitions while the scheme changes. It holds for everything, so that a
# browser styles the whole page twice as Material starts, which sets the scheme that is set already.
EVERYTHING = (
    "[data-md-color-switching] *,[data-md-color-switching] :after,"
    "[data-md-color-switching] :before{transition-duration:0s!important}"
)


def join_styles(site: Path) -> None:
    """Join the stylesheets that pages load, in their order, and let the pages load the result.

    `ValueError` if two pages of a kind load different ones. Joined pages stay as they are.
    """
    chosen: dict[str, list[str]] = {}
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        links = list(LINK.finditer(text))
        if len(links) < 2:
            continue
        target = EMBEDS if page.relative_to(site).parts[0] == "embed" else PAGES
        names = [link[2] for link in links]
        if chosen.setdefault(target, names) != names:
            raise ValueError(f"{page} loads {names}, and other pages {chosen[target]}")
        page.write_text(with_one(text, links, target), encoding="utf-8")
    for target, names in chosen.items():
        assets = site / "assets"
        (assets / target).write_text(joined(assets, names), encoding="utf-8")


def with_one(text: str, links: list[re.Match[str]], target: str) -> str:
    """A page with one link in the place of the first, and the others gone."""
    first = links[0]
    for link in reversed(links[1:]):
        text = text[: link.start()] + text[link.end() :]
    line = f'<link rel="stylesheet" href="{first[1]}{target}">\n'
    return text[: first.start()] + line + text[first.end() :]


def joined(assets: Path, names: list[str]) -> str:
    """The text of several stylesheets, for a file in `assets`."""
    return '@charset "UTF-8";\n' + "".join(moved(assets, name) for name in names)


def moved(assets: Path, name: str) -> str:
    """A stylesheet whose addresses hold from `assets` on, without its comments."""
    folder = posixpath.dirname(name)
    text = CHARSET.sub("", (assets / name).read_text(encoding="utf-8")).replace(EVERYTHING, "")

    def from_assets(pointer: re.Match[str]) -> str:
        return (
            f"url({pointer[1]}{posixpath.normpath(posixpath.join(folder, pointer[2]))}{pointer[1]})"
        )

    return POINTER.sub(from_assets, COMMENT.sub("", text)).strip() + "\n"
