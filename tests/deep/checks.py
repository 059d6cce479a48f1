"""What must hold of every run, whatever was drawn; what does not is a `Find`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from random import Random
from typing import Any

from pysims.kernel import History, Run, RunLimit, check_plain
from pysims.link import link_from
from pysims.widget.render import frame
from pysims.widget.session import follow, opened, restored, saved
from tests.deep.cases import Case, gone_on, gone_on_with, may_fall

# So many events of a run are called once more, told and drawn.
LOOKS = 12


@dataclass(frozen=True)
class Find:
    """Something that must not be: its kind, by which it is known again, and what was seen."""

    kind: str
    detail: str
    at_ms: int | None = None


def refused_or_found(case: Case, *, drawing: bool) -> Find | None:
    """What is wrong with a case; `None` if nothing is, or if the model refuses it."""
    try:
        history = case.run()
    except (ValueError, RunLimit):
        return None
    except Exception as problem:  # noqa: BLE001  # whatever it is, it is what is looked for
        return raised("run", problem)
    return found_in(case, history, Random(case.seed), drawing=drawing)


def raised(where: str, problem: Exception) -> Find:
    """An exception: known again by its class and by the function that it left."""
    trace = problem.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = trace.tb_frame.f_code.co_qualname if trace else "?"
    return Find(f"{type(problem).__name__} in {place}", f"{where}: {problem!r}")


def found_in(case: Case, history: History[Any], draws: Random, *, drawing: bool) -> Find | None:
    """The first thing that is wrong with a run; pictures take long and are drawn on demand."""
    checks = [lights, same_again, called_again, rewound, linked, told]
    if drawing:
        checks.append(drawn)
    for check in checks:
        try:
            for find in check(case, history, draws):
                return find
        except Exception as problem:  # noqa: BLE001  # nothing that a check calls may raise
            return raised(check.__name__, problem)
    return None


def lights(case: Case, history: History[Any], draws: Random) -> Iterator[Find]:
    """Every invariant that a right design promises, after every event."""
    watched = [light for light in case.pattern.invariants if not may_fall(case, light.name)]
    for index, state in enumerate(history.states()):
        for light in watched:
            if light.promised(state) and not light.holds(state):
                at_ms = history.time_ms(index)
                yield Find(light.name, f"“{light.name}” is violated at {at_ms} ms", at_ms)
                return


def same_again(case: Case, history: History[Any], draws: Random) -> Iterator[Find]:
    """The same script gives the same run, action by action or as a whole."""
    again = case.run()
    if Run(again).digest != Run(history).digest:
        yield Find("another run", "the same case ran twice and gave two digests")


def looked_at(history: History[Any], draws: Random) -> list[int]:
    count = len(history) - 1
    return sorted(draws.sample(range(1, count + 1), min(LOOKS, count)))


def called_again(case: Case, history: History[Any], draws: Random) -> Iterator[Find]:
    """An event, called once more, leads to the same state and schedules the same."""
    for index in looked_at(history, draws):
        before, event, after = history.change(index)
        ctx = history.again(index)
        state = case.pattern.update(before, event, ctx)
        pending = history[index - 1].queue
        new = [queued for queued in history[index].queue if queued not in pending]
        if state != after or sorted(ctx.scheduled, key=lambda q: q[:2]) != new:
            name = type(event).__name__
            yield Find(f"impure {name}", f"{name}, called once more, did something else",
                       history.time_ms(index))  # fmt: skip
    check_plain(history[-1].state)


def rewound(case: Case, history: History[Any], draws: Random) -> Iterator[Find]:
    """Going back to a moment and on from there is the run that there was."""
    # What happens at a moment belongs together: a script's event comes after what comes by itself.
    at = history.index_at(draws.randint(0, case.until_ms))
    now_ms = history.time_ms(at)
    tail = history.upto(at)
    for time_ms, event in case.script:
        if time_ms > now_ms:
            tail = gone_on_with(gone_on(tail, time_ms), event, time_ms)
    tail = gone_on(tail, case.until_ms)
    if Run(tail).digest != Run(history).digest:
        yield Find("rewound", f"going on from event {at} gave another run", now_ms)


def linked(case: Case, history: History[Any], draws: Random) -> Iterator[Find]:
    """A permalink is read back as what was written."""
    at = draws.randrange(len(history))
    link = case.link(history.time_ms(at), at)
    # A pattern that a test has changed is still called by its name.
    if replace(link_from(link.text), pattern=link.pattern) != link:
        yield Find("permalink", f"it is read back as something else: {link.text}")


def told(case: Case, history: History[Any], draws: Random) -> Iterator[Find]:
    """Sentences, descriptions and answers come without an error, and answers are numbers."""
    pattern = case.pattern
    for index in looked_at(history, draws):
        pattern.describe(*history.change(index))
        sim = history[index]
        later_ms = draws.randint(0, 1_000)
        pattern.alternative(sim.state, sim.now_ms + later_ms)
        pattern.view(sim.state, sim.now_ms + later_ms)
    for question in pattern.questions:
        answer = question.measure(history)
        if answer is not None and not isfinite(answer):
            yield Find(f"question {question.id}", f"{question.id} answers {answer!r}")


def drawn(case: Case, history: History[Any], draws: Random) -> Iterator[Find]:
    """A widget follows the link, shows some moments, and is the same when it is made again."""
    link = case.link(history.time_ms(len(history) - 1), len(history) - 1)
    session = follow(opened("w", case.pattern.id), link.text)
    if Run(session.history).digest != Run(history).digest:
        yield Find("followed", "the widget's run is not the run of its link")
    for _ in range(3):
        at = draws.randrange(len(session.history))
        shown = replace(session, at=at, now_ms=session.history.time_ms(at))
        if frame(restored(saved(shown))) != frame(shown):
            yield Find("restored", f"the widget at event {at} is drawn otherwise when made again")
