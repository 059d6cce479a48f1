"""The published experiment: clients contend to update one row, with optimistic concurrency control.

A client reads the row's version and writes with it; the write succeeds if nobody else's came in
between. Otherwise the client backs off and begins again. This is the model of Brooker's simulator
(https://github.com/aws-samples/aws-arch-backoff-simulator, `src/backoff_simulator.py`), written
anew on the kernel of this house, with the functions under test for the waits.

One unit of time is a microsecond here, so that the network's delays are as fine as there. The
simulator counts its first wait as attempt 1, and so does this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from pysims.guards.backoff import decorrelated_jitter, equal_jitter, exponential, full_jitter
from pysims.kernel import Context, run_until, start

BASE_US, CAP_US = 5_000, 2_000_000
DELAY_US_MEAN, DELAY_US_DEVIATION = 10_000, 2_000


@dataclass(frozen=True, slots=True)
class Row:
    """The row's version, and the writes that were tried."""

    strategy: str
    version: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Client:
    failures: int = 0
    waited_us: int = BASE_US


@dataclass(frozen=True, slots=True)
class Read:
    client: Client


@dataclass(frozen=True, slots=True)
class Write:
    client: Client
    version: int


@dataclass(frozen=True, slots=True)
class Done:
    pass


@dataclass(frozen=True, slots=True)
class Denied:
    client: Client


def network_delay(ctx: Context) -> int:
    """A normal delay, nearly: twelve uniform numbers have the variance 1 (Irwin and Hall)."""
    normal = sum(ctx.random() for _ in range(12)) - 6
    return abs(round(DELAY_US_MEAN + DELAY_US_DEVIATION * normal))


def wait_us(strategy: str, client: Client, u: float) -> int:
    attempt = client.failures
    match strategy:
        case "exponential":
            return exponential(attempt, BASE_US, CAP_US)
        case "full":
            return full_jitter(attempt, BASE_US, CAP_US, u)
        case "equal":
            return equal_jitter(attempt, BASE_US, CAP_US, u)
        case "decorrelated":
            return decorrelated_jitter(client.waited_us, BASE_US, CAP_US, u)
    return 0


def begin(strategy: str, clients: int, ctx: Context) -> Row:
    for _ in range(clients):
        ctx.after(network_delay(ctx), Read(Client()))
    return Row(strategy)


def update(row: Row, event: object, ctx: Context) -> Row:
    match event:
        case Read(client):
            # The answer's way and the write's way are one event: nothing happens between them.
            ctx.after(network_delay(ctx) + network_delay(ctx), Write(client, row.version))
        case Write(client, version):
            row = replace(row, writes=row.writes + 1)
            if version == row.version:
                ctx.after(network_delay(ctx), Done())
                return replace(row, version=row.version + 1)
            ctx.after(network_delay(ctx), Denied(client))
        case Denied(client):
            client = replace(client, failures=client.failures + 1)
            waited_us = wait_us(row.strategy, client, ctx.random())
            client = replace(client, waited_us=waited_us)
            ctx.after(network_delay(ctx) + waited_us, Read(client))
    return row


def experiment(strategy: str, clients: int, seed: int) -> tuple[int, float]:
    """The writes that were tried until everybody had written once, and the time (ms) it took."""
    first = start(update, partial(begin, strategy, clients), seed)
    last = run_until(first, 10**12)[-1]
    assert last.state.version == clients
    return last.state.writes, last.now_ms / 1_000


def mean(strategy: str, clients: int, runs: int) -> tuple[float, float]:
    """Mean writes and mean time (ms) of so many runs."""
    found = [experiment(strategy, clients, seed) for seed in range(runs)]
    return sum(w for w, _ in found) / runs, sum(ms for _, ms in found) / runs
