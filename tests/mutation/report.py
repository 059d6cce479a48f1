"""What came out: a table, and which survivors `survivors.toml` explains."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from tests.mutation.operators import Mutant
from tests.mutation.trial import KILLED, SURVIVED, TIMEOUT, Verdict

SURVIVORS = Path(__file__).with_name("survivors.toml")
Z = 1.96
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: `all` mutants that there are, of which some were tried."""

    name: str
    all: int
    counts: Counter[str]

    @property
    def tried(self) -> int:
        return sum(self.counts.values())

    @property
    def dead(self) -> int:
        return self.counts[KILLED] + self.counts[TIMEOUT]

    def cells(self) -> list[str]:
        rate = self.dead / self.tried if self.tried else 0.0
        low, high = interval(self.dead, self.tried)
        spread = "" if self.tried == self.all else f" ({low:.1%} to {high:.1%})"
        counts = (self.counts[name] for name in (KILLED, TIMEOUT, SURVIVED))
        return [self.name, f"{self.all:,}", f"{self.tried:,}", *map(str, counts),
                f"{rate:.1%}{spread}"]  # fmt: skip


def interval(dead: int, tried: int) -> tuple[float, float]:
    """Wilson's 95 % interval for the rate of a sample."""
    if not tried:
        return 0.0, 1.0
    rate, over = dead / tried, Z * Z / tried
    middle = (rate + over / 2) / (1 + over)
    half = Z * sqrt(rate * (1 - rate) / tried + over / tried / 4) / (1 + over)
    return middle - half, middle + half


def table(rows: Sequence[Row]) -> str:
    """Markdown; the last line is the sum."""
    whole = Row("all of these", sum(row.all for row in rows), Counter())
    for row in rows:
        whole.counts.update(row.counts)
    head = ["module", "mutants", "tried", "killed", "by timeout", "survived", "rate (95 %)"]
    lines = [head, ["---", *["--:"] * 6], *(row.cells() for row in (*rows, whole))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def explained() -> dict[Key, str]:
    """Survivor → why it survives, as the file has it; `ValueError` for an entry without reason."""
    found = {}
    for entry in tomllib.loads(SURVIVORS.read_text("utf-8")).get("survivor", []):
        if not entry["why"].strip():
            raise ValueError(f"a survivor needs a reason: {entry}")
        for change in entry["changes"]:
            found[entry["file"], entry["function"], entry["text"], change] = entry["why"]
    return found


def unexplained(verdicts: Iterable[tuple[Mutant, Verdict]]) -> list[tuple[Mutant, Verdict]]:
    """The survivors that nobody has accounted for."""
    known = explained()
    return [
        (mutant, verdict) for mutant, verdict in verdicts
        if verdict.outcome == SURVIVED and mutant.key not in known
    ]  # fmt: skip


def left_over(known: Iterable[Key], mutants: Iterable[Mutant]) -> list[Key]:
    """The entries for which there is no mutant any more."""
    keys = {mutant.key for mutant in mutants}
    return [key for key in known if key not in keys]
