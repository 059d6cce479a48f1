"""What Markdown calls: fences that print the bibliography and the glossary.

    ```sources pages="cap"
    The sources that the chapter is the first to cite.
    ```

    ```glossary
    All terms.
    ```

Their bodies are for readers of the plain Markdown. SuperFences swallows ordinary exceptions and
leaves a code block where a list should be, in silence; so every refusal here is a
`SuperFencesException`, which stops the build.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup
from pymdownx.superfences import SuperFencesException

from .glossary import Term, terms
from .pages import pages
from .sources import Citation, Source, all_citations, homes, read_bibliography

DOI = "https://doi.org/"
ENTRY = Markup('<li id="source-{key}">{lead}<cite>{title}</cite>{end}{address} {cited}</li>\n')


def sources_html(names: Iterable[str]) -> str:
    """The sources that some pages are the first to cite, sorted, each with all who cite it.

    `ValueError` if there is none, which is what a misspelled page would give.
    """
    bibliography = read_bibliography()
    citations = all_citations(bibliography)
    first = homes(citations)
    wanted = {key for key, page in first.items() if page in set(names)}
    if not wanted:
        raise ValueError(f"no source is first cited by {', '.join(names)}")
    listed = sorted((bibliography.sources[key] for key in wanted), key=lambda source: source.order)
    titles = pages()
    entries = (source_html(source, citations, titles) for source in listed)
    return Markup('<ul class="site-sources">\n{}</ul>').format(Markup().join(entries))


def source_html(source: Source, citations: Iterable[Citation], titles: Mapping[str, str]) -> Markup:
    """One entry of the bibliography."""
    lead = source.authors or source.venue
    parts = [] if lead == source.venue else [source.venue]
    parts += [str(source.year)] if source.year else []
    end = ", ".join(part for part in parts if part)
    return ENTRY.format(
        key=source.key,
        lead=f"{lead}: " if lead else "",
        title=source.title,
        end=("" if source.title.endswith(("?", "!", ".")) else ".") + (f" {end}." if end else ""),
        address=address_html(source),
        cited=cited_html([one for one in citations if one.source == source.key], titles),
    )


def address_html(source: Source) -> Markup:
    """Where a source is: its DOI, or the host that has it, as a link."""
    if not source.address:
        return Markup("")
    if source.address.startswith(DOI):
        words = f"doi:{source.address.removeprefix(DOI)}"
    else:
        words = source.address.split("/")[2].removeprefix("www.")
    return Markup(' <a class="site-address" href="{}">{}</a>').format(source.address, words)


def cited_html(citations: list[Citation], titles: Mapping[str, str]) -> Markup:
    """The footnotes that cite a source, page by page, each as a link to itself."""
    groups: dict[str, list[Citation]] = {}
    for citation in citations:
        groups.setdefault(citation.page, []).append(citation)
    lists = [
        Markup(", ").join(citation_html(one, titles[page], at) for at, one in enumerate(group))
        for page, group in groups.items()
    ]
    return Markup('<span class="site-cited">Cited in {}</span>').format(Markup("; ").join(lists))


def citation_html(citation: Citation, title: str, before: int) -> Markup:
    """A link to a footnote; the first one of a page names the page, and all name their places."""
    words = [word for word in ("" if before else title, citation.place) if word]
    anchor = f"#fn:{citation.key}" if citation.key else ""
    return Markup('<a href="{}.html{}">{}</a>').format(
        citation.page, anchor, ", ".join(words) or "again"
    )


def glossary_html() -> str:
    """All terms with their sentences and the sections that explain them."""
    titles = pages()
    return Markup('<dl class="site-glossary">\n{}</dl>').format(
        Markup().join(term_html(term, titles) for term in terms())
    )


def term_html(term: Term, titles: Mapping[str, str]) -> Markup:
    """One term of the glossary."""
    page, _, anchor = term.see.partition("#")
    name = page.removesuffix(".md")
    return Markup('<dt id="{}">{}</dt>\n<dd>{} <a href="{}.html#{}">{}</a></dd>\n').format(
        term.id, term.term, term.definition, name, anchor, titles[name]
    )


def validate_fence(
    language: str,
    inputs: dict[str, str],
    options: dict[str, Any],
    attrs: Any,  # noqa: ARG001  # the five arguments are SuperFences' interface
    md: Any,  # noqa: ARG001
) -> bool:
    """Read the header of a fence (the interface of `pymdownx.superfences`)."""
    allowed = {"pages"} if language == "sources" else set()
    if set(inputs) != allowed:
        wanted = ", ".join(sorted(allowed)) or "nothing"
        raise SuperFencesException(f"a {language} fence names {wanted}, got: {', '.join(inputs)}")
    options.update(inputs)
    return True


def format_sources(
    source: str,  # noqa: ARG001  # the arguments are SuperFences' interface
    language: str,  # noqa: ARG001
    class_name: str,  # noqa: ARG001
    options: dict[str, Any],
    md: Any,  # noqa: ARG001
    **rest: Any,  # noqa: ARG001
) -> str:
    """Print a part of the bibliography (the interface of `pymdownx.superfences`)."""
    try:
        return sources_html(options["pages"].split())
    except Exception as problem:
        raise SuperFencesException(f"sources fence: {problem}") from problem


def format_glossary(
    source: str,  # noqa: ARG001  # the arguments are SuperFences' interface
    language: str,  # noqa: ARG001
    class_name: str,  # noqa: ARG001
    options: dict[str, Any],  # noqa: ARG001
    md: Any,  # noqa: ARG001
    **rest: Any,  # noqa: ARG001
) -> str:
    """Print the glossary (the interface of `pymdownx.superfences`)."""
    try:
        return glossary_html()
    except Exception as problem:
        raise SuperFencesException(f"glossary fence: {problem}") from problem
