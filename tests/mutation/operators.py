"""What can go wrong in a line: every mutant of a module, in the order of its source.

A mutant is one edit of the syntax tree. Left alone is what no test can judge by a run: docstrings,
annotations, decorators, `__all__` and `__slots__`, sentences, the words on knobs and buttons.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

COMPARES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
SUMS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Their strings are words on a page, and their keywords of these names too.
SPOKEN = {
    "Number", "Choice", "Switch", "Text", "OneOf", "Groups", "Action", "Invariant", "Question",
    "Pattern", "TypeVar", "cast",
}  # fmt: skip
WORDS = {"hint", "unit", "label", "title", "summary", "source", "why", "claim", "watch"}
LEFT_ALONE = {"__all__", "__slots__"}
LONGEST = 70


@dataclass(frozen=True, slots=True)
class Edit:
    """A field of a node (or one place in its list) that gets another value."""

    node: ast.AST
    field: str
    index: int | None
    new: Any

    def apply(self) -> None:
        self._set(self.new)

    def _set(self, value: Any) -> None:
        if self.index is None:
            setattr(self.node, self.field, value)
        else:
            getattr(self.node, self.field)[self.index] = value

    def told(self) -> str:
        """`before → after`, of the smallest piece of code that a reader recognizes."""
        old = getattr(self.node, self.field)
        old = old if self.index is None else old[self.index]
        shown = self.node
        if self.index is not None and isinstance(old, ast.AST):
            shown = old
        before = _text(shown)
        self.apply()
        after = _text(self.new if shown is old else self.node)
        self._set(old)
        return f"{before} → {after}"


def _text(node: ast.AST) -> str:
    """A node as code; of what has a body the head only."""
    text = (
        ast.unparse(node).partition("\n")[0]
        if not isinstance(node, ast.comprehension)
        else (" if ".join(ast.unparse(part) for part in (node.iter, *node.ifs)))
    )
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit: of which file (from the checkout's root), in which function, on which line."""

    file: str
    number: int
    line: int
    function: str
    text: str
    change: str
    edit: Edit

    @property
    def inside(self) -> bool:
        """Whether a function's own code changes, which can be swapped in a living process."""
        return bool(self.function)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names it in `survivors.toml`, however far its line moves."""
        return self.file, self.function, self.text, self.change


@cache
def mutants_of(path: Path) -> tuple[ast.Module, list[Mutant]]:
    """A module's tree, and its mutants, whose edits change that tree (in a fork)."""
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    lines = source.splitlines()
    found: list[Mutant] = []
    for edit, line, function in Finder().below(tree, ""):
        file = path.relative_to(ROOT).as_posix()
        text = lines[line - 1].strip()
        found.append(Mutant(file, len(found), line, function, text, edit.told(), edit))
    return tree, found


Found = Iterator[tuple[Edit, int, str]]


class Finder:
    """Walks a tree and gives the edits, each with its line and the function that it lies in."""

    def below(self, node: ast.AST, function: str) -> Found:
        """The edits in all that a node holds."""
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_comment", "pattern"):
                continue
            if isinstance(value, ast.AST):
                yield from self.at(value, node, name, None, function)
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, ast.AST):
                        yield from self.at(item, node, name, index, function)

    def at(
        self, node: ast.AST, parent: ast.AST, name: str, index: int | None, function: str
    ) -> Found:
        """The edits of a node that stands in a field of its parent, and below it."""
        if skipped(node):
            return
        line = getattr(node, "lineno", getattr(parent, "lineno", 1))
        for edit in edits_of(node, parent, name, index):
            yield edit, line, function
        if isinstance(node, ast.FunctionDef):
            # What a function's head computes is computed when the module is imported.
            yield from self.below(node.args, function)
            yield from self.body(node, function or qualified(node))
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.FunctionDef):
                    statement.owner = node.name  # type: ignore[attr-defined]
            yield from self.body(node, function)
        elif isinstance(node, ast.Call) and called(node) in SPOKEN:
            yield from self.spoken(node, function)
        elif not isinstance(node, ast.Raise):
            yield from self.below(node, function)

    def body(self, node: ast.FunctionDef | ast.ClassDef, function: str) -> Found:
        for place, statement in enumerate(node.body):
            yield from self.at(statement, node, "body", place, function)

    def spoken(self, node: ast.Call, function: str) -> Found:
        """What is computed in a call that is made of words otherwise."""
        for part in (*node.args, *(k.value for k in node.keywords if k.arg not in WORDS)):
            if not isinstance(part, ast.Constant) or not isinstance(part.value, str):
                yield from self.below(ast.Tuple([part], ast.Load()), function)


def qualified(node: ast.FunctionDef) -> str:
    owner = getattr(node, "owner", "")
    return f"{owner}.{node.name}" if owner else node.name


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def skipped(node: ast.AST) -> bool:
    """Docstrings, imports, aliases of types, and what only the type checker reads."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return any(isinstance(t, ast.Name) and t.id in LEFT_ALONE for t in node.targets)
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation) == "TypeAlias"
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def edits_of(node: ast.AST, parent: ast.AST, name: str, index: int | None) -> Iterator[Edit]:
    """The edits of one node: of its own, or of the place in which it stands."""
    if isinstance(node, ast.Constant):
        yield from constants(node, parent)
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.UAdd):
        yield Edit(parent, name, index, node.operand)
    elif isinstance(node, ast.Name) and name == "func" and node.id in NAMES:
        yield Edit(node, "id", None, NAMES[node.id])
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield Edit(node, "ifs", None, [])
    elif isinstance(node, ast.match_case) and node.guard:
        yield Edit(node, "guard", None, None)
    elif isinstance(node, ast.expr):
        yield from edits_within(node)
    elif isinstance(node, ast.stmt):
        yield from edits_of_statement(node)
        if removable(node):
            yield Edit(parent, name, index, ast.copy_location(ast.Pass(), node))


def edits_within(node: ast.AST) -> Iterator[Edit]:
    """The edits of an expression that put nothing in its place."""
    match node:
        case ast.Compare():
            for place, op in enumerate(node.ops):
                yield Edit(
                    node,
                    "ops",
                    None,
                    [*node.ops[:place], COMPARES[type(op)](), *node.ops[place + 1 :]],
                )
        case ast.BinOp():
            yield Edit(node, "op", None, SUMS[type(node.op)]())
        case ast.BoolOp():
            yield Edit(node, "op", None, ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.Call() if called(node) not in SPOKEN:
            for k in node.keywords:
                if k.arg and k.arg not in WORDS:
                    yield Edit(node, "keywords", None, [o for o in node.keywords if o is not k])
        case ast.IfExp() if not turned_already(node.test):
            yield turned(node)


def edits_of_statement(node: ast.stmt) -> Iterator[Edit]:
    """The edits of a statement that leave it there."""
    match node:
        case ast.AugAssign():
            yield Edit(node, "op", None, SUMS[type(node.op)]())
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield Edit(node, "value", None, ast.copy_location(ast.Constant(None), value))
        case ast.If() if not turned_already(node.test):
            yield turned(node)


def removable(node: ast.stmt) -> bool:
    """Whether a module without this statement is still a module in which every name is bound."""
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Attribute | ast.Subscript) and len(node.targets) == 1
    return isinstance(node, ast.Expr | ast.Raise | ast.Break | ast.Continue)


def turned(node: ast.If | ast.IfExp) -> Edit:
    return Edit(node, "test", None, ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test))


def turned_already(test: ast.expr) -> bool:
    """Whether another edit of a condition turns it round as well."""
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1 and not isinstance(
            test.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE
        )
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def constants(node: ast.Constant, parent: ast.AST) -> Iterator[Edit]:
    """Another value for a constant; a text with a space in it is a sentence, and none is sought."""
    value = node.value
    if isinstance(parent, ast.JoinedStr | ast.FormattedValue):
        return
    if isinstance(value, bool):
        yield Edit(node, "value", None, not value)
    elif isinstance(value, int | float):
        yield Edit(node, "value", None, value + 1)
    elif isinstance(value, str) and not any(sign.isspace() for sign in value):
        yield Edit(node, "value", None, "" if value else "X")
