"""The sources that a page shows: a pattern's model, highlighted line by line, as plain JSON.

Highlighting happens while the site is built, so the reader's browser needs no highlighter. What is
shown is the file itself: the text of the lines, put together, is the module's source, and a test
holds that. It is also what the editor begins with.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from pygments.lexers.python import PythonLexer
from pygments.token import Token, _TokenType

from ..patterns import BESIDE_THE_MODEL
from .inside.record import guards_in

CITATIONS = "citations.toml"
ADDRESS = r"https?://[^\s)\"',;]+[^\s)\"',;.]"

# The first that a token is a kind of gives it its class; few colors read better than many.
CLASSES = (
    (Token.Literal.String.Doc, "d"),
    (Token.Comment, "c"),
    (Token.Literal.String, "s"),
    (Token.Literal.Number, "m"),
    (Token.Keyword.Constant, "m"),
    (Token.Keyword, "k"),
    (Token.Operator.Word, "k"),
    (Token.Name.Function, "f"),
    (Token.Name.Class, "f"),
    (Token.Name.Decorator, "f"),
)


def modules_shown(package: Path, pattern_id: str) -> list[Path]:
    """The files of a pattern's model, `model.py` first, and of the guards that they run."""
    folder = package / "patterns" / pattern_id
    apart = {"__init__", *BESIDE_THE_MODEL}
    own = [path for path in sorted(folder.glob("*.py")) if path.stem not in apart]
    own.sort(key=lambda path: path.stem != "model")
    guards = {name for path in own for name in guards_in(path.read_text("utf-8"))}
    stems = sorted(name.rpartition(".")[2] for name in guards)
    found = [package / "guards" / f"{stem}.py" for stem in stems if stem != "guards"]
    return [*own, *(path for path in found if path.exists())]


def citations_of(module: Path) -> dict[str, str]:
    """What the comments of a module cite, as `§5.2`, and the address of that section or paper."""
    path = module.parent / CITATIONS
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def linked(text: str, citations: dict[str, str]) -> str:
    """A piece of a comment as HTML, with links where it cites something or gives an address."""
    # The longest first: §5.4.1 is no §5.4.
    labels = sorted(citations, key=len, reverse=True)
    cites = "|".join(rf"{re.escape(label)}(?![\w]|\.\d)" for label in labels)
    parts, at = [], 0
    for found in re.finditer(f"{ADDRESS}|{cites}" if cites else ADDRESS, text, re.IGNORECASE):
        href = found[0] if found[0].startswith("http") else cited(found[0], citations)
        link = f'<a href="{escape(href)}" target="_blank" rel="noopener">{escape(found[0])}</a>'
        parts += [escape(text[at : found.start()], quote=False), link]
        at = found.end()
    return "".join([*parts, escape(text[at:], quote=False)])


def cited(label: str, citations: dict[str, str]) -> str:
    """The address of a label, whatever its case."""
    return next(to for name, to in citations.items() if name.lower() == label.lower())


def class_of(token: _TokenType) -> str:
    return next((name for kind, name in CLASSES if token in kind), "")


def highlighted(source: str, citations: dict[str, str]) -> list[str]:
    """The lines of a Python source as HTML."""
    lines = [""]
    for token, value in PythonLexer(stripnl=False).get_tokens(source):
        name = class_of(token)
        for number, piece in enumerate(value.split("\n")):
            if number:
                lines.append("")
            if piece:
                html = linked(piece, citations) if name in ("c", "d", "s") else escape(piece, False)
                lines[-1] += f'<span class="{name}">{html}</span>' if name else html
    while len(lines) > source.count("\n"):
        lines.pop()
    return lines


def blocks(source: str) -> Iterator[tuple[int, int, str]]:
    """First line, last line and name of every function, and of every class without methods.

    Comments right above belong to it. Lines count from 1.
    """
    text = source.split("\n")
    for node, name in definitions(ast.parse(source)):
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)  # noqa: S101
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        while (
            first > 1 and text[first - 2].lstrip().startswith("# ") and "---" not in text[first - 2]
        ):
            first -= 1
        yield first, node.end_lineno or first, name


def definitions(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            if not methods:
                yield node, node.name
            yield from ((method, f"{node.name}.{method.name}") for method in methods)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, node.name


def shown(package: Path, pattern_id: str) -> dict[str, Any]:
    """What the page is given: a pattern's modules with their lines and functions."""
    modules = []
    for path in modules_shown(package, pattern_id):
        source = path.read_text("utf-8")
        below = path.relative_to(package.parent)
        modules.append(
            {
                "name": ".".join(below.with_suffix("").parts),
                "file": below.as_posix(),
                "lines": highlighted(source, citations_of(path)),
                "functions": list(blocks(source)),
            }
        )
    return {"pattern": pattern_id, "modules": modules}


def packed(package: Path, pattern_id: str) -> bytes:
    """The same as JSON."""
    return json.dumps(shown(package, pattern_id), ensure_ascii=False).encode()
