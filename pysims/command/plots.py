"""`pysims plot`: a picture of a run over time, or of the answers of many seeds."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from ..kernel import run_pattern
from ..sweep import spread_of
from .choice import chosen_by
from .sweeps import swept

SUFFIXES = (".png", ".svg", ".pdf")


def save_plot(options: argparse.Namespace) -> None:
    """Draw what is asked for into a file, and print its name."""
    drawing = with_matplotlib()
    if options.question is None:
        run = chosen_by(options)
        path = path_of(options, f"{run.pattern.id}-{run.scenario}-seed-{run.seed}")
        done = run_pattern(run.pattern, run.params, run.script, run.seed, run.until_ms)
        figure = drawing.of_run(run, done.history)
    else:
        if options.seed is not None:
            raise ValueError("--seed is for one run, --first and --seeds go with --question")
        path = path_of(options, "")
        run, sweep, found = swept(options)
        name = f"{run.pattern.id}-{run.scenario}-{sweep.question.id}-{len(found)}-seeds"
        path = path or path_of(options, name)
        figure = drawing.of_spread(run, sweep.question, spread_of(found, sweep.question.better))
    if path is None:
        raise AssertionError("a picture has a name by now")
    try:
        drawing.save(figure, path)
    except OSError as problem:
        raise ValueError(f"{path} cannot be written: {problem.strerror}") from problem
    print(path)


def with_matplotlib() -> Any:
    """The module that draws; `ValueError` names the extra that it needs."""
    try:
        return import_module(".drawing", __package__)
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ValueError(
            "plot needs matplotlib, which comes with the extra `plot`: "
            "pip install 'survive-chaos[plot]'"
        ) from problem


def path_of(options: argparse.Namespace, usual: str) -> Path | None:
    """Where to draw: the file that was named, or a usual name here, if there is one."""
    if options.output is None:
        return Path(f"{usual}.png") if usual else None
    path = Path(options.output)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"--output must end in {', '.join(SUFFIXES)}, which say the format, got {path.name!r}"
        )
    return path
