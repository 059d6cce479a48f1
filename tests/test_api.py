"""The reference: every public name is on a page, written as Python has it, with its own words."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import pysims.guards
from pysims.kernel import Number, Pattern, knobs_of
from pysims.prose.api import events_of, markdown_of, prose_of, replaced, table
from pysims.prose.reference import page_of, write_reference
from tests.catalog import PATTERNS

ROOT = Path(__file__).parents[1]
# Name below `api/` → its Markdown as it is written.
PAGES = {
    **{p.stem: p.read_text("utf-8") for p in sorted((ROOT / "docs" / "api").glob("*.md"))},
    **{f"patterns/{pattern.id}": page_of(pattern) for pattern in PATTERNS},
}
HEADING = re.compile(r"^#{2,5} .* \{ #([\w.]+) \}$", re.MULTILINE)
CODE = re.compile(r"\A\s*``` {\.python \.no-copy}\n(.*?)\n```\n*(.*)\Z", re.DOTALL)
GUARDS = [f"pysims.guards.{m.name}" for m in pkgutil.iter_modules(pysims.guards.__path__)]


@cache
def page(name: str) -> str:
    """A page as Python-Markdown gets it, after the reference has been written into it."""
    return "\n".join(replaced(PAGES[name].split("\n")))


@cache
def entries() -> dict[str, tuple[str, str]]:
    """Anchor → the code and the text below it, for every entry of every page."""
    found = {}
    for name in PAGES:
        parts = HEADING.split(page(name))
        for anchor, text in zip(parts[1::2], parts[2::2], strict=True):
            if match := CODE.match(text):
                found[anchor] = match[1], match[2]
    return found


def value_of(anchor: str) -> Any:
    """What an anchor names; a package's own name comes before a module of the same name."""
    first, *rest = anchor.split(".")
    found: Any = import_module(first)
    for name in rest:
        if inspect.ismodule(found) and not hasattr(found, name):
            found = import_module(f"{found.__name__}.{name}")
        else:
            found = inspect.getattr_static(found, name)
    return found


def of_the_library() -> list[str]:
    """The anchors that there must be: what a module exports, or all that it does not hide."""
    wanted = []
    for name in ("pysims", "pysims.kernel", "pysims.link", *GUARDS, "pysims.consistency"):
        module = import_module(name)
        own = (
            one
            for one, value in vars(module).items()
            if one[0] != "_" and getattr(value, "__module__", name) == name
        )
        for one in getattr(module, "__all__", own):
            if not inspect.ismodule(getattr(module, one)) and one != "annotations":
                wanted += [f"{name}.{one}"]
    return wanted


@pytest.mark.parametrize("anchor", of_the_library())
def test_every_public_name_has_an_entry(anchor: str) -> None:
    assert anchor in entries()


def test_there_are_as_many_entries_as_a_reader_expects() -> None:
    assert len(of_the_library()) > 90
    assert len(entries()) > 400


def parameters(written: ast.arguments) -> list[tuple[str, str, str | None]]:
    """(name, annotation, default) of each parameter, in order, as the page writes them."""
    plain = [*written.posonlyargs, *written.args]
    defaults = [None] * (len(plain) - len(written.defaults)) + list(written.defaults)
    pairs = [*zip(plain, defaults, strict=True)]
    extra = [written.vararg] if written.vararg else []
    pairs += [(argument, None) for argument in extra]
    pairs += [*zip(written.kwonlyargs, written.kw_defaults, strict=True)]
    pairs += [(written.kwarg, None)] if written.kwarg else []
    return [
        (a.arg, ast.unparse(a.annotation) if a.annotation else "", ast.unparse(d) if d else None)
        for a, d in pairs
    ]


def same_type(written: str, real: Any, where: dict[str, Any]) -> bool:
    """Whether an annotation on the page is the one of Python, which may have kept its text."""
    if isinstance(real, str):
        return ast.unparse(ast.parse(written)) == ast.unparse(ast.parse(real))
    return bool(eval(written, dict(where)) == real)  # noqa: S307  # our own page


def agree(written: ast.FunctionDef, function: Any) -> None:
    """The signature on the page is the one that Python itself tells."""
    told = inspect.signature(function)
    shown = parameters(written.args)
    where = inspect.unwrap(function).__globals__
    assert [name for name, _, _ in shown] == list(told.parameters)
    for (name, annotation, default), real in zip(shown, told.parameters.values(), strict=True):
        assert (default is None) == (real.default is inspect.Parameter.empty), name
        if real.annotation is not inspect.Parameter.empty:
            assert same_type(annotation, real.annotation, where), name
        if default is not None:
            assert eval(default, dict(where)) == real.default, name  # noqa: S307  # our own page
    keyword = {a.arg for a in written.args.kwonlyargs}
    assert keyword == {n for n, p in told.parameters.items() if p.kind is p.KEYWORD_ONLY}
    if written.returns:
        assert same_type(ast.unparse(written.returns), told.return_annotation, where)


EVENTS = tuple(f"{pattern.id}." for pattern in PATTERNS)


@pytest.mark.parametrize("anchor", [one for one in entries() if not one.startswith(EVENTS)])
def test_an_entry_is_written_as_python_has_it(anchor: str) -> None:
    code, text = entries()[anchor]
    name = anchor.rpartition(".")[2]
    if code.startswith("class "):
        class_agrees(code, value_of(anchor))
    elif re.search(r"^def ", code, re.MULTILINE):
        [written] = ast.parse(f"{code}: ...").body
        assert isinstance(written, ast.FunctionDef)
        agree(written, function_of(anchor))
    else:
        assert re.match(rf"(\w+, )*{name}\b.* = ", code, re.DOTALL), code
        return
    words = inspect.getdoc(value_of(anchor)) if value_of(anchor).__doc__ else ""
    assert text.startswith(prose_of(words or "").split("\n")[0])


def function_of(anchor: str) -> Any:
    """The function behind a method, a property or a name."""
    found = value_of(anchor)
    for inside in ("fget", "__func__", "func"):
        found = getattr(found, inside, found)
    return found


def class_agrees(code: str, kind: type) -> None:
    """The fields of a class, or its constructor, as Python tells them."""
    head, _, rest = code.partition("\n")
    assert re.match(rf"class {kind.__name__}\b", head)
    if not is_dataclass(kind):
        if rest.lstrip().startswith("def "):
            [written] = ast.parse(inspect.cleandoc(f"{rest.rstrip()}: ...")).body
            assert isinstance(written, ast.FunctionDef)
            agree(written, vars(kind)["__init__"])
        else:
            told = [line.strip().partition(":")[0] for line in rest.split("\n") if rest]
            assert told == list(vars(kind).get("__annotations__", {}))
        return
    shown = {line.strip().partition(":")[0]: line.strip() for line in rest.split("\n") if rest}
    own = [f for f in fields(kind) if f.name in kind.__annotations__ and f.name[0] != "_"]
    of_the_class = {name for name, line in shown.items() if ": ClassVar[" in line}
    assert [f.name for f in own] == [name for name in shown if name not in of_the_class]
    for one in own:
        annotation, _, default = shown[one.name].partition(": ")[2].partition(" = ")
        assert same_type(annotation, one.type, vars(import_module(kind.__module__)))
        if one.name in knobs_of(kind) and one.default is not MISSING:
            assert ast.literal_eval(default) == one.default


# --- Patterns ---------------------------------------------------------------------------------


def section(pattern: Pattern) -> str:
    return page(f"patterns/{pattern.id}")


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the tables in a text, by the name in their first cell."""
    found = re.findall(r"^\| `(\w[\w-]*)` \| (.*) \|$", text, re.MULTILINE)
    return {name: re.split(r" (?<!\\)\| ", rest) for name, rest in found}


def part(text: str, title: str) -> str:
    """What stands below a heading of the second level."""
    found = re.search(rf"^## {title} .*?$\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def knobs_are_right(text: str, owner: type) -> None:
    shown = rows(text)
    defaults = {f.name: f.default for f in fields(owner)}
    assert list(shown) == list(knobs_of(owner))
    for name, kind in knobs_of(owner).items():
        allowed, default, meaning = shown[name]
        assert kind.label in meaning.replace("\\|", "|")
        if isinstance(kind, Number):
            assert allowed.startswith(f"{kind.low:g} to {kind.high:g}"), name
            assert kind.unit in allowed
            assert float(default.strip("`")) == defaults[name]
        for choice in getattr(kind, "choices", ()):
            assert f"`{choice}`" in allowed


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_a_pattern_has_everything_that_it_offers(pattern: Pattern) -> None:
    text = section(pattern)
    assert pattern.summary in text
    knobs_are_right(part(text, "Parameters"), pattern.params)
    for light in pattern.invariants:
        assert f"- **{light.name}**: {light.why}" in part(text, "Invariants")
    stories = rows(part(text, "Scenarios"))
    assert list(stories) == [story.id for story in pattern.scenarios]
    for story in pattern.scenarios:
        assert stories[story.id][:2] == [str(story.seed), f"{story.until_ms:,} ms"]
        assert stories[story.id][2].replace("\\|", "|") == story.claim
    asked = rows(part(text, "Questions"))
    assert {name: told[0] for name, told in asked.items()} == {
        question.id: question.label for question in pattern.questions
    }


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_a_pattern_has_every_event_with_its_arguments(pattern: Pattern) -> None:
    events = part(section(pattern), "Events")
    shown = re.split(r"^### (\w+) \{ #[\w.]+ \}\n", events, flags=re.MULTILINE)[1:]
    known = dict(zip(shown[::2], shown[1::2], strict=True))
    handled = get_args(get_type_hints(pattern.update)["event"])
    assert set(known) == {event.__name__ for event in handled}
    assert events_of(pattern)[: len(pattern.actions)] == tuple(a.event for a in pattern.actions)
    for event in handled:
        text = known[event.__name__]
        given = ", ".join(f"{f.name}: {f.type}" for f in fields(event))
        assert f"``` {{.python .no-copy}}\n{event.__name__}({given})\n```" in text
        knobs_are_right(text, event)
    for action in pattern.actions:
        assert f"The reader’s “{action.label}”." in known[action.event.__name__]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_what_a_patterns_package_exports_is_there(pattern: Pattern) -> None:
    package = import_module(f"pysims.patterns.{pattern.id}")
    text = section(pattern)
    for name in set(package.__all__) - {"PATTERN", "Params"}:
        assert re.search(rf"^### {name} \{{ #", text, re.MULTILINE), name


def test_the_table_leads_to_every_pattern_and_names_every_story() -> None:
    text = table("api/*.md")
    for pattern in PATTERNS:
        [row] = re.findall(rf"^\| \[`{pattern.id}`\]\(api/{pattern.id}\.md\).*", text, re.MULTILINE)
        for story in pattern.scenarios:
            assert f"`{story.id}`" in row


def test_pages_of_patterns_are_written_and_those_of_others_removed(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("x", "utf-8")
    written = write_reference(tmp_path)
    assert [path.stem for path in written] == sorted(pattern.id for pattern in PATTERNS)
    assert sorted(tmp_path.iterdir()) == written
    before = [path.stat().st_mtime_ns for path in written]
    assert [path.stat().st_mtime_ns for path in write_reference(tmp_path)] == before


# --- Fences -------------------------------------------------------------------------------------


def test_a_fence_is_replaced_and_the_rest_stays() -> None:
    text = ["Before.", "```api pysims.link", "for readers", "```", "```python", "x = 1", "```"]
    lines = list(replaced(text))
    assert lines[0] == "Before."
    assert "for readers" not in lines
    assert lines[-3:] == ["```python", "x = 1", "```"]
    assert "### link_from { #pysims.link.link_from }" in lines


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (["```api pysims.link", "no end"], "an api fence does not end"),
        (["```api pysims.nothing", "```"], "No module named 'pysims.nothing'"),
        (['```api table pages="one.md"', "```"], 'pages="one.md" needs a *'),
    ],
)
def test_a_fence_that_is_wrong_stops_the_build(text: list[str], problem: str) -> None:
    with pytest.raises((ValueError, ModuleNotFoundError), match=re.escape(problem)):
        list(replaced(text))


def test_a_docstring_becomes_markdown() -> None:
    text = (
        "See https://example.org/a_b. 2**64, and `2**3`.\n\n"
        "Args:\n    one: the first.\n        More.\n"
    )
    assert prose_of(text) == (
        "See <https://example.org/a_b>. 2\\*\\*64, and `2**3`.\n\n"
        "**Args:**\n\n- `one`: the first.\n        More.\n"
    )


def test_a_link_to_the_source_ends_where_the_definition_does() -> None:
    text = markdown_of("pysims.guards.retry_budget", source_url="https://example.org/repo/")
    form = r"\(https://example\.org/repo/blob/main/(\S+)#L(\d+)-L(\d+)\)"
    links = re.findall(form, text)
    assert links
    for path, first, last in links:
        lines = (ROOT / path).read_text("utf-8").split("\n")[int(first) - 1 : int(last)]
        ast.parse("\n".join(lines))


# --- The built pages ------------------------------------------------------------------------------


@pytest.mark.site
@pytest.mark.parametrize("name", [name for name in PAGES if name != "patterns"])
def test_the_built_page_has_every_anchor_and_the_search_knows_it(name: str) -> None:
    html = (ROOT / "site" / "api" / f"{name}.html").read_text("utf-8")
    index = (ROOT / "site" / "search" / "search_index.json").read_text("utf-8")
    anchors = HEADING.findall(page(name))
    assert anchors
    for anchor in anchors:
        assert f'id="{anchor}"' in html
        assert f"api/{name}.html#{anchor}" in index
    assert "```" not in html
