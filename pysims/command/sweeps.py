"""`pysims sweep`: one question to many seeds, on all cores; the bytes do not depend on how many."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from typing import Any

from ..kernel import Script
from ..patterns import load_pattern
from ..sweep import Answer, Spread, Sweep, answers, check_seeds, csv_of, number_text, spread_of
from .choice import Chosen, chosen_by
from .shown import Progress

FORMATS = ("table", "csv", "json")
# So many seeds go to a process at a time: few enough for a bar that moves, and for all cores to end
# at about the same time.
AT_ONCE = 8
BAR = 40
FAILURES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Task:
    """Some seeds of a sweep as another process gets them: a pattern is known there by its name."""

    pattern: str
    params: Any
    script: Script
    until_ms: int
    question: str
    limit: int
    first: int
    count: int


def work(task: Task) -> list[Answer]:
    """The answers of a task."""
    pattern = load_pattern(task.pattern)
    question = pattern.question(task.question)
    sweep = Sweep(pattern, task.params, task.script, task.until_ms, question, task.limit)
    return list(answers(sweep, task.first, task.count))


def leave_interrupts_alone() -> None:
    """Ctrl-C reaches every process of a terminal; the first of them ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def interrupts_left_alone() -> Iterator[None]:
    """Processes that are started meanwhile leave interrupts alone from their first moment on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_parts(tasks: list[Task], jobs: int) -> Iterator[list[Answer]]:
    """The answers of the tasks, in their order."""
    jobs = min(jobs, len(tasks))
    if jobs == 1:
        yield from map(work, tasks)
        return
    # Spawned, and not forked, on every system alike. An executor and not a pool: when its processes
    # are killed it notices, where a pool may wait for a lock that one of them held.
    executor = ProcessPoolExecutor(jobs, get_context("spawn"), leave_interrupts_alone)
    try:
        with interrupts_left_alone():
            found = executor.map(work, tasks)
        yield from found
    except BaseException:
        for process in active_children():
            process.kill()
        executor.shutdown(cancel_futures=True)
        raise
    executor.shutdown()


def swept(options: argparse.Namespace) -> tuple[Chosen, Sweep, list[Answer]]:
    """The run, the sweep, and its answers, with a bar while they come."""
    run = chosen_by(options)
    question = run.pattern.question(options.question)
    sweep = Sweep(run.pattern, run.params, run.script, run.until_ms, question, options.limit)
    check_seeds(options.first, options.seeds)
    jobs = cores() if options.jobs is None else options.jobs
    if jobs < 1:
        raise ValueError(f"--jobs must be 1 or more, got {jobs}")
    if options.limit < 1:
        raise ValueError(f"--limit must be 1 or more, got {options.limit}")
    end = options.first + options.seeds
    tasks = [
        Task(
            run.pattern.id,
            run.params,
            run.script,
            run.until_ms,
            question.id,
            options.limit,
            first,
            min(AT_ONCE, end - first),
        )
        for first in range(options.first, end, AT_ONCE)
    ]
    progress = Progress(options.seeds)
    found: list[Answer] = []
    try:
        for part in in_parts(tasks, jobs):
            found += part
            progress.show(len(found))
    finally:
        progress.clear()
    return run, sweep, found


def print_questions(options: argparse.Namespace) -> None:
    """The pattern's questions, the default one first."""
    if options.pattern is None:
        raise ValueError("--questions takes the name of a pattern")
    for question in load_pattern(options.pattern).questions:
        unit = f" [{question.unit}]" if question.unit else ""
        print(f"{question.id:<16} {question.label}{unit}\n{'':<16} {question.why}")


def print_sweep(options: argparse.Namespace) -> None:
    """The answers, or what they come to, in the format that was asked for."""
    if options.questions:
        print_questions(options)
        return
    run, sweep, found = swept(options)
    if options.format == "csv":
        sys.stdout.write(csv_of(found))
        return
    summary = spread_of(found, sweep.question.better)
    if options.format == "json":
        print(json.dumps(as_json(run, sweep, found, summary)))
        return
    for line in table(run, sweep, found, summary):
        print(line)


def as_json(run: Chosen, sweep: Sweep, found: list[Answer], summary: Spread) -> dict[str, Any]:
    """A sweep as plain JSON: what was asked, what came of it, and every answer."""
    return {
        "pattern": run.pattern.id,
        "scenario": run.scenario,
        "question": sweep.question.id,
        "unit": sweep.question.unit,
        "first": found[0].seed,
        **summary.plain(),
        "answers": [each.value for each in found],
        "failures": {str(each.seed): each.failure for each in found if each.failure},
    }


def table(run: Chosen, sweep: Sweep, found: list[Answer], summary: Spread) -> Iterator[str]:
    """What the answers come to, as lines for a terminal."""
    question = sweep.question
    unit = f" {question.unit}" if question.unit else ""
    yield f"{run.pattern.id}/{run.scenario}: {question.label}"
    yield (
        f"seeds {found[0].seed} to {found[-1].seed}: {summary.answered} answered, "
        f"{summary.unanswered} without an answer, {summary.failed} failed"
    )
    for each in [each for each in found if each.failure][:FAILURES_SHOWN]:
        yield f"seed {each.seed} failed: {each.failure}"
    if summary.percentiles is None or summary.mean is None:
        return
    numbers = [("min", summary.low), *((f"p{p}", v) for p, v in summary.percentiles.items())]
    for label, value in [*numbers, ("max", summary.high), ("mean", summary.mean)]:
        text = number_text(value or 0.0)
        yield f"{label:>5}  {text if summary.whole and label != 'mean' else f'{value:.6g}'}{unit}"
    yield f"worst: seed {summary.worst}, a median run: seed {summary.median}, best: {summary.best}"
    yield from bars(summary)


def bars(summary: Spread) -> Iterator[str]:
    """The histogram, a line for each bin."""
    most = max(each.count for each in summary.bins)
    names = [each.text(summary.whole) for each in summary.bins]
    wide = max(map(len, names))
    for name, each in zip(names, summary.bins, strict=True):
        bar = "█" * -(-BAR * each.count // most)
        yield f"{name:>{wide}}  {each.count:>6}  {bar}".rstrip()
