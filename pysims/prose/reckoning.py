"""Reckons what a sentence says: `90 = 30 + 80 * 0.75`, `raft: 50 = heartbeat_interval_ms`.

A check is a number as the sentence writes it, a relation, and an expression. The relations: `=` is
equal in the digits that are written, `≈` within a tenth, `<` and `>` say what they say. Behind the
name of a scenario (`pattern/scenario:`, or the pattern alone for its first one) the expression may
use

- the parameters with which that scenario runs (`heartbeat_interval_ms`),
- the ends of a parameter's range, as `low.virtual_nodes` and `high.virtual_nodes`,
- the script, as `time[i]` and `event[i].field`, counted from 0, and its length, `events`,
- the constants of the pattern's modules (`SLOW_MS`), `seed` and `until_ms`.

Behind the name of a module (`numbers.rate_limiting:`) it may use the constants of that module.
A name between braces is a number that a run gives, as `pysims.numbers` prints it: `{lww lost} / 2`.
Expressions are arithmetic and a few functions; nothing else of Python is evaluated.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib import import_module
from types import MappingProxyType, SimpleNamespace
from typing import Any

from ..kernel import Number
from ..kernel.knobs import KEY
from ..numbers import number
from ..patterns import load_pattern
from .quantities import NUMERAL, worth

OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Pow: operator.pow,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def harmonic(n: int, exponent: float = 1) -> float:
    """The sum of 1/k**exponent over k from 1 to n."""
    return math.fsum(1 / k**exponent for k in range(1, n + 1))


def at_least(needed: int, of: int, p: float) -> float:
    """The probability that at least so many of independent trials succeed."""
    return math.fsum(math.comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(needed, of + 1))


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "at_least": at_least, "ceil": math.ceil, "comb": math.comb, "exp": math.exp,
        "float": float, "floor": math.floor, "harmonic": harmonic, "int": int, "len": len,
        "log2": math.log2, "max": max, "min": min, "sqrt": math.sqrt, "sum": sum,
    }
)  # fmt: skip

CHECK = re.compile(
    r"(?:(?P<pattern>[a-z_.]+)(?:/(?P<scenario>[a-z0-9-]+))?:\s+)?"
    r"(?P<number>[^=≈<>]+?)\s*(?P<relation>[=≈<>])\s*(?P<expression>[^=≈<>]+)"
)
EPSILON = 1e-9


class Reckoner(ast.NodeVisitor):
    """Values of expressions in which `names` are known."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names

    def generic_visit(self, node: ast.AST) -> Any:
        raise ValueError(f"{ast.unparse(node)!r} is not known, or no arithmetic")

    def visit_Constant(self, node: ast.Constant) -> Any:
        return node.value if type(node.value) in (int, float) else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        return self.names[node.id] if node.id in self.names else self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        if type(node.op) not in OPERATORS:
            return self.generic_visit(node)
        return OPERATORS[type(node.op)](self.visit(node.left), self.visit(node.right))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        return -self.visit(node.operand) if type(node.op) is ast.USub else self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        return self.visit(node.value)[self.visit(node.slice)]

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if node.attr.startswith("_"):
            return self.generic_visit(node)
        return getattr(self.visit(node.value), node.attr)

    def visit_Call(self, node: ast.Call) -> Any:
        if not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS) or node.keywords:
            return self.generic_visit(node)
        return FUNCTIONS[node.func.id](*map(self.visit, node.args))


def evaluate(expression: str, names: Mapping[str, Any]) -> Any:
    """What an expression is worth; `ValueError` for anything but arithmetic on known names."""
    filled = re.sub(r"\{([^{}]+)\}", lambda run: numeral_of(run[1]), expression.strip())
    try:
        return Reckoner(names).visit(ast.parse(filled, mode="eval").body)
    except (ArithmeticError, AttributeError, LookupError, SyntaxError, TypeError) as problem:
        raise ValueError(f"{expression!r} cannot be reckoned: {problem}") from problem


def numeral_of(name: str) -> str:
    """The first numeral in a number of a run; `ValueError` if it has none."""
    found = re.search(NUMERAL, number(name)[0])
    if found is None:
        raise ValueError(f"there is no numeral in {name!r}")
    return found[0].replace(",", "")


def names_of(pattern_id: str, scenario_id: str | None) -> dict[str, Any]:
    """What an expression may name behind `pattern/scenario:`, or behind `package.module:`."""
    if "." in pattern_id:
        return constants_in(pattern_id)
    pattern = load_pattern(pattern_id)
    scenario = pattern.scenario(scenario_id)
    return {
        **constants_of(pattern.params.__module__.rpartition(".")[0]),
        **{field.name: field.default for field in fields(pattern.params)},
        **scenario.params,
        "time": tuple(time_ms for time_ms, _ in scenario.script),
        "event": tuple(event for _, event in scenario.script),
        **ends_of(pattern.params),
        "events": len(scenario.script),
        "seed": scenario.seed,
        "until_ms": scenario.until_ms,
    }


def constants_in(name: str) -> dict[str, Any]:
    """The constants of one module, by its name inside of this package."""
    try:
        module = import_module(f"{__package__.partition('.')[0]}.{name}")
    except ImportError as problem:
        raise ValueError(f"module {name!r} cannot be had: {problem}") from problem
    return {key: value for key, value in vars(module).items() if key.isupper()}


def ends_of(params: type) -> dict[str, SimpleNamespace]:
    """The least and the most that each parameter which is a number may be."""
    knobs = {field.name: field.metadata[KEY] for field in fields(params)}
    numbers = {name: knob for name, knob in knobs.items() if isinstance(knob, Number)}
    return {
        "low": SimpleNamespace(**{name: knob.low for name, knob in numbers.items()}),
        "high": SimpleNamespace(**{name: knob.high for name, knob in numbers.items()}),
    }


def constants_of(package: str) -> dict[str, Any]:
    """The constants of a package's modules, without those that two modules use differently."""
    found: dict[str, Any] = {}
    twofold = set()
    for name, module in sorted(sys.modules.items()):
        if f"{name}.".startswith(f"{package}."):
            for key, value in vars(module).items():
                if key.isupper() and found.setdefault(key, value) != value:
                    twofold.add(key)
    return {key: value for key, value in found.items() if key not in twofold}


def holds(number: str, relation: str, value: float) -> bool:
    """Whether a number, as it is written, stands in this relation to a value."""
    written = float(worth(number))
    if relation == "=":
        decimals = len(number.partition(".")[2]) if number[0].isdigit() else 6
        return abs(value - written) <= 0.5 * 10.0**-decimals + EPSILON
    if relation == "≈":
        return abs(value - written) <= 0.1 * abs(written) + EPSILON
    return written < value if relation == "<" else written > value


def numbers_checked(check: str) -> set[str]:
    """The numbers of a sentence that a check accounts for: its own, and those it reckons with.

    None, if it is no check.
    """
    parts = CHECK.fullmatch(check)
    if parts is None:
        return set()
    return {parts["number"], *re.findall(rf"(?<![\w.]){NUMERAL}", parts["expression"])}


def verify(check: str, setting: bool) -> None:
    """`ValueError`, in a sentence, for a check that does not hold or is of the other kind."""
    parts = CHECK.fullmatch(check)
    if parts is None:
        raise ValueError(f"{check!r} is not of the form 'number = expression'")
    if bool(parts["pattern"]) != setting:
        raise ValueError(f"{check!r} is no {'setting' if setting else 'arithmetic'}")
    names = names_of(parts["pattern"], parts["scenario"]) if parts["pattern"] else {}
    value = evaluate(parts["expression"], names)
    if not isinstance(value, int | float):
        raise ValueError(f"{check!r} reckons {value!r}, which is no number")
    if not holds(parts["number"], parts["relation"], value):
        raise ValueError(f"{check!r} does not hold: the right side is {value:.10g}")
