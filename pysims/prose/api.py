"""A Markdown extension: the reference of the library, written from the source while it is read.

    ```api pysims.kernel.sim
    What stands here is for readers of the plain Markdown.
    ```

In its place come the public names of that module: how each is called, its docstring, its fields
with what their knobs allow, its methods. ```` ```api pysims.patterns.raft ```` gives a pattern with
its parameters, events, invariants, scenarios, questions and functions;
```` ```api table pages="patterns/*.md" ```` gives one line for each pattern, with a link to its
page. What comes is Markdown, so that headings are in the table of contents and in the search.

Public are the names of a module's `__all__`; where there is none, those that its package exports,
or else all that do not begin with an underscore.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, get_args, get_type_hints

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

from ..kernel import Choice, Knob, Number, OneOf, Pattern, Switch, knobs_of
from ..patterns import load_pattern, pattern_ids
from . import ROOT

BEGIN = re.compile(r'^```api (?P<what>[\w.]+)(?: pages="(?P<pages>[^"]*)")?$')
END = "```"
# Before Python-Markdown normalizes white space and SuperFences looks for its own.
PRIORITY = 41
WIDTH = 76
LONG = 240
MARKS = ("property", "cached_property", "classmethod", "staticmethod", "abstractmethod")
Definition: TypeAlias = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


class Reference(Preprocessor):
    """Puts the reference in the place of its fences."""

    def __init__(self, md: Markdown, source_url: str) -> None:
        super().__init__(md)
        self.source_url = source_url

    def run(self, lines: list[str]) -> list[str]:
        """The lines with the reference in them (the interface of Python-Markdown)."""
        return list(replaced(lines, self.source_url))


class Api(Extension):
    """What `mkdocs.yml` names: `pysims.prose.api`."""

    def __init__(self, **options: Any) -> None:
        self.config = {"source_url": ["", "The repository's address, for links to the source"]}
        super().__init__(**options)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # Python-Markdown's name
        """Register (the interface of Python-Markdown)."""
        md.preprocessors.register(Reference(md, self.getConfig("source_url")), "api", PRIORITY)


def makeExtension(**options: Any) -> Api:  # noqa: N802  # Python-Markdown's name
    """The extension (the interface of Python-Markdown)."""
    return Api(**options)


def replaced(lines: list[str], source_url: str = "") -> Iterator[str]:
    """Lines of Markdown, each fence of ours replaced by what it asks for.

    `ValueError` for a fence that does not end, and `ImportError` for a module that there is not.
    """
    inside = False
    for line in lines:
        begins = BEGIN.match(line)
        if begins:
            inside = True
            yield from markdown_of(begins["what"], begins["pages"], source_url).split("\n")
        elif inside:
            inside = line != END
        else:
            yield line
    if inside:
        raise ValueError("an api fence does not end")


def markdown_of(what: str, pages: str | None = None, source_url: str = "") -> str:
    """The Markdown that a fence asks for."""
    if what == "table":
        return table(pages or "*.md")
    if (name := what.removeprefix("pysims.patterns.")) in pattern_ids():
        return pattern_text(load_pattern(name), source_url)
    module = import_module(what)
    return "\n\n".join(entry(module, name, 3, source_url) for name in public_names(module))


def shown(node: ast.AST) -> str:
    """A piece of Python, with the quotes that the house has."""
    return re.sub(r"'([^'\"\\]*)'", r'"\1"', ast.unparse(node))


# --- Modules --------------------------------------------------------------------------------------


@cache
def tree_of(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


@cache
def definitions(module: ModuleType) -> dict[str, tuple[Definition, str]]:
    """Name → where a module defines it and, for a value, the text below it; in order."""
    found: dict[str, tuple[Definition, str]] = {}
    body = tree_of(module).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node, ""
            continue
        for name in targets(node):
            found[name] = node, text_in(after)  # type: ignore[assignment]  # only assignments have targets
    return found


def targets(node: ast.stmt) -> list[str]:
    """The names that a statement assigns a value to."""
    if isinstance(node, ast.AnnAssign):
        places: list[ast.expr] = [node.target]
    else:
        places = node.targets if isinstance(node, ast.Assign) else []
    inner = [place.elts if isinstance(place, ast.Tuple) else [place] for place in places]
    return [place.id for group in inner for place in group if isinstance(place, ast.Name)]


def text_in(node: ast.stmt | None) -> str:
    """The string that a statement is, or nothing."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return inspect.cleandoc(node.value.value) if isinstance(node.value.value, str) else ""
    return ""


def public_names(module: ModuleType) -> list[str]:
    """The public names of a module that are no modules themselves, those that it defines first."""
    here = definitions(module)
    names = getattr(module, "__all__", None)
    if names is None:
        exported = [name for name in here if name in exports(package_of(module))]
        names = exported or [name for name in here if not name.startswith("_")]
    own = [name for name in here if name in names]
    others = [name for name in names if name not in here]
    return [*own, *(name for name in others if not inspect.ismodule(getattr(module, name)))]


def package_of(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[0]


def exports(package: str) -> tuple[str, ...]:
    """What a package says that it exports."""
    return tuple(getattr(import_module(package), "__all__", ())) if package else ()


def home_of(module: ModuleType, name: str) -> ModuleType:
    """The module that defines a name, however many others have handed it on."""
    if name in definitions(module):
        return module
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            source = "." * node.level + (node.module or "")
            return home_of(import_module(resolve_name(source, module.__package__ or "")), name)
    raise ValueError(f"{module.__name__}.{name} is defined nowhere")


# --- One name -------------------------------------------------------------------------------------


def entry(module: ModuleType, name: str, level: int, source_url: str) -> str:
    """A heading, how it is written, what it says of itself, where it stands, and its methods."""
    home = home_of(module, name)
    node, text = definitions(home)[name]
    public = package_of(module) if name in exports(package_of(module)) else module.__name__
    anchor = f"{public}.{name}"
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        text = ast.get_docstring(node) or ""
    parts = [heading(level, name, anchor), code(definition_text(home, node, name)), prose_of(text)]
    value = getattr(home, name)
    if isinstance(value, type) and is_dataclass(value) and knobs_of(value):
        parts.append(knob_table(value))
    parts.append(origin(home, node, source_url))
    if isinstance(node, ast.ClassDef):
        parts += [method(item, level + 1, anchor, name) for item in methods(node)]
    return "\n\n".join(part for part in parts if part)


SECTION = re.compile(r"^(Args|Raises|Returns|Yields):$")
ITEM = re.compile(r"^    (?P<name>\w+): (?P<text>.*)$")
# A bare address, and two stars that are a power; not inside of code.
LOOSE = re.compile(
    r"`[^`]*`|(?P<address>https?://[^\s<>()`]*[^\s<>()`.,;:])|(?<=\w)(?P<power>\*\*)(?=\w)"
)


def prose_of(text: str) -> str:
    """A docstring as Markdown: lists of arguments are lists, addresses are links."""
    lines = []
    section = False
    for line in text.split("\n"):
        if SECTION.match(line):
            section = True
            lines += [f"**{line}**", ""]
            continue
        section = section and (not line or line.startswith("    "))
        item = ITEM.match(line) if section else None
        lines.append(f"- `{item['name']}`: {item['text']}" if item else line)
    return LOOSE.sub(tied, "\n".join(lines))


def tied(found: re.Match[str]) -> str:
    if found["address"]:
        return f"<{found['address']}>"
    return "\\*\\*" if found["power"] else found[0]


def heading(level: int, words: str, anchor: str) -> str:
    return f"{'#' * level} {words} {{ #{anchor} }}"


def code(text: str) -> str:
    # Nobody copies a signature; a button for each made a page of a hundred slow to start.
    return f"``` {{.python .no-copy}}\n{text}\n```"


def origin(module: ModuleType, node: Definition, source_url: str) -> str:
    """Where a definition stands, as a link if the repository's address is known."""
    path = Path(inspect.getsourcefile(module) or "").relative_to(ROOT).as_posix()
    first = node.decorator_list[0].lineno if getattr(node, "decorator_list", []) else node.lineno  # type: ignore[union-attr]  # it has the list if `getattr` says so
    if not source_url:
        return f"Source: `{path}`, line {first}."
    lines = f"#L{first}-L{node.end_lineno}"
    return f"Source: [`{path}`, line {first}]({source_url.rstrip('/')}/blob/main/{path}{lines})."


def definition_text(module: ModuleType, node: Definition, name: str) -> str:
    """A definition as Python, without what only the inside needs."""
    if isinstance(node, ast.FunctionDef):
        return signature(node)
    if isinstance(node, ast.ClassDef):
        return class_text(node, getattr(module, name))
    written = ast.get_source_segment(inspect.getsource(module), node) or ""
    if "\n" in written:
        written = shown(node)
    return written if len(written) <= LONG else f"{written.partition(' = ')[0]} = ..."


def signature(node: ast.FunctionDef) -> str:
    """`def name(…) -> …`, one argument on a line where one line is too short for all."""
    returns = f" -> {type_text(node.returns)}" if node.returns else ""
    given = arguments(node.args)
    one_line = f"def {node.name}({', '.join(given)}){returns}"
    if len(one_line) <= WIDTH:
        return one_line
    body = "".join(f"    {argument},\n" for argument in given)
    return f"def {node.name}(\n{body}){returns}"


def type_text(node: ast.expr) -> str:
    """An annotation, without the quotes that a name defined further below needs."""
    quoted = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if quoted and isinstance(node, ast.Constant) else shown(node)


def arguments(given: ast.arguments) -> list[str]:
    """The arguments of a function, each as text."""
    placed = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(placed) - len(given.defaults))
    defaults += given.defaults
    found = [with_default(*pair) for pair in zip(placed, defaults, strict=True)]
    if given.posonlyargs:
        found.insert(len(given.posonlyargs), "/")
    if given.vararg:
        found.append(f"*{shown(given.vararg)}")
    elif given.kwonlyargs:
        found.append("*")
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    found += [with_default(*pair) for pair in pairs]
    return [*found, f"**{shown(given.kwarg)}"] if given.kwarg else found


def with_default(argument: ast.arg, default: ast.expr | None) -> str:
    if default is None:
        return shown(argument)
    sign = " = " if argument.annotation else "="
    return f"{shown(argument)}{sign}{shown(default)}"


def class_text(node: ast.ClassDef, value: type) -> str:
    """A class with its fields, as its source has them, but for the knobs' defaults."""
    bases = ", ".join(map(shown, node.bases))
    first = f"class {node.name}({bases}):" if bases else f"class {node.name}:"
    lines = [f"    {line}" for line in own_fields(node, value)]
    if not lines:
        init = next((n for n in node.body if getattr(n, "name", "") == "__init__"), None)
        if isinstance(init, ast.FunctionDef):
            lines = [f"    {line}" for line in signature(init).split("\n")]
    return "\n".join([first, *lines]) if lines else first.rstrip(":")


def own_fields(node: ast.ClassDef, value: type) -> Iterator[str]:
    """The fields that a class itself declares, with their types and defaults."""
    defaults = {f.name: f.default for f in fields(value)} if is_dataclass(value) else {}
    knobs = knobs_of(value) if is_dataclass(value) else {}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            name = item.target.id
            if name.startswith("_"):
                continue
            if name in knobs and defaults[name] is not MISSING:
                default = shown(ast.parse(repr(defaults[name])))
                yield f"{name}: {shown(item.annotation)} = {default}"
            else:
                yield shown(item)


def methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """What a class offers: its public methods and properties, with a docstring or without."""
    return [
        item
        for item in node.body
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_")
    ]


def method(node: ast.FunctionDef, level: int, anchor: str, owner: str) -> str:
    """A method or a property of a class."""
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    kept = [f"@{mark}" for mark in marks if mark in MARKS]
    parts = [
        heading(level, f"{owner}.{node.name}", f"{anchor}.{node.name}"),
        code("\n".join([*kept, signature(node)])),
        prose_of(ast.get_docstring(node) or ""),
    ]
    return "\n\n".join(part for part in parts if part)


# --- Knobs and patterns ---------------------------------------------------------------------------


def allowed(kind: Knob) -> str:
    """What a knob allows, in words."""
    if isinstance(kind, Number):
        steps = f", in steps of {kind.step:g}" if kind.step != 1 else ""
        unit = f" {kind.unit}" if kind.unit else ""
        return f"{kind.low:g} to {kind.high:g}{unit}{steps}"
    if isinstance(kind, Choice):
        return ", ".join(f"`{name}` ({label})" for name, label in kind.choices.items())
    if isinstance(kind, Switch):
        return "`on`, `off`"
    if isinstance(kind, OneOf):
        return "one that there is"
    return f"a text of 1 to {kind.longest} characters"


def cell(text: str) -> str:
    """A text as it may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def knob_table(owner: type) -> str:
    """The fields of a dataclass that have knobs: name, what is allowed, default, meaning."""
    rows = ["| name | allowed | default | meaning |", "|---|---|---|---|"]
    defaults = {f.name: f.default for f in fields(owner)}
    for name, kind in knobs_of(owner).items():
        default = defaults[name]
        words = {True: "on", False: "off"}[default] if isinstance(default, bool) else default
        hint = f" {kind.hint}" if kind.hint else ""
        meaning = f"{kind.label}.{hint}" if hint else kind.label
        value = f"`{words}`" if words != "" else "the first"
        cells = [f"`{name}`", allowed(kind), value, meaning]
        rows.append(f"| {' | '.join(map(cell, cells))} |")
    return "\n".join(rows)


def events_of(pattern: Pattern) -> tuple[type, ...]:
    """All events of a pattern: those of the reader in the order of the buttons, then the rest."""
    reader = tuple(action.event for action in pattern.actions)
    hint = get_type_hints(pattern.update).get("event")
    return reader + tuple(kind for kind in get_args(hint) if kind not in reader)


def pattern_text(pattern: Pattern, source_url: str) -> str:
    """Everything about a pattern that a program may use."""
    package = import_module(f"pysims.patterns.{pattern.id}")
    name = pattern.id
    parts = [
        pattern.summary,
        prose_of(f'`pysims.load_pattern("{name}")`. After {pattern.source}.'),
        heading(2, "Parameters", f"{name}.Params"),
        knob_table(pattern.params) if knobs_of(pattern.params) else "It has none.",
        heading(2, "Events", f"{name}.events"),
        *(event_text(pattern, event) for event in events_of(pattern)),
        heading(2, "Invariants", f"{name}.invariants"),
        "\n".join(f"- **{one.name}**: {one.why}" for one in pattern.invariants),
        heading(2, "Scenarios", f"{name}.scenarios"),
        scenario_table(pattern),
        heading(2, "Questions", f"{name}.questions"),
        question_table(pattern),
    ]
    parts += library_of(package, pattern, source_url)
    return "\n\n".join(parts)


def event_text(pattern: Pattern, event: type) -> str:
    """An event: who causes it, what it does, its arguments."""
    labels = [action.label for action in pattern.actions if action.event is event]
    who = f"The reader’s “{labels[0]}”." if labels else "The model’s own."
    given = ", ".join(f"{f.name}: {f.type}" for f in fields(event))
    parts = [
        heading(3, event.__name__, f"{pattern.id}.{event.__name__}"),
        code(f"{event.__name__}({given})"),
        f"{who} {prose_of(inspect.getdoc(event) or '')}".rstrip(),
        knob_table(event) if knobs_of(event) else "",
    ]
    return "\n\n".join(part for part in parts if part)


def scenario_table(pattern: Pattern) -> str:
    rows = ["| scenario | seed | length | claim |", "|---|--:|--:|---|"]
    for story in pattern.scenarios:
        length = f"{story.until_ms:,} ms"
        rows.append(f"| `{story.id}` | {story.seed} | {length} | {cell(story.claim)} |")
    return "\n".join(rows)


def question_table(pattern: Pattern) -> str:
    rows = ["| `--question` | what is asked | in | what is measured |", "|---|---|---|---|"]
    for asked in pattern.questions:
        told = " | ".join(cell(text) for text in (asked.label, asked.unit, asked.why))
        rows.append(f"| `{asked.id}` | {told} |")
    return "\n".join(rows)


def library_of(package: ModuleType, pattern: Pattern, source_url: str) -> list[str]:
    """What a pattern's package exports besides its parameters and events."""
    known = {"PATTERN", "Params", *(event.__name__ for event in events_of(pattern))}
    names = [name for name in package.__all__ if name not in known]
    entries = [entry(package, name, 3, source_url) for name in names]
    return [heading(2, "In the package", f"{pattern.id}.names"), *entries] if names else []


def table(pages: str) -> str:
    """Every pattern with its scenarios, and a link to its page: `pages` with its name for the star.

    `ValueError` if there is no star.
    """
    if "*" not in pages:
        raise ValueError(f'pages="{pages}" needs a * where the pattern\'s name stands')
    rows = ["| pattern | what it shows | scenarios |", "|---|---|---|"]
    for name in pattern_ids():
        pattern = load_pattern(name)
        stories = ", ".join(f"`{story.id}`" for story in pattern.scenarios)
        page = pages.replace("*", name)
        rows.append(f"| [`{name}`]({page}) | {cell(pattern.summary)} | {stories} |")
    return "\n".join(rows)
