"""The kernel: runs as values. It knows no pattern, no picture and no browser.

Read `sim` first (a hundred lines), then `run`; `draws`, `knobs`, `trace` and `pattern` are small.
"""

from .draws import Draws
from .knobs import Choice, Knob, Number, OneOf, Switch, Text, build, checked, knob, knobs_of
from .pattern import Action, Invariant, Pattern, Scenario, Script
from .run import begin, run_pattern, run_script
from .sim import LIMIT, Context, History, Queued, RunLimit, Sim, dispatch, run_until, start, step
from .trace import Run, check_plain, digest_of, trace_line, trace_of

__all__ = [
    "LIMIT",
    "Action",
    "Choice",
    "Context",
    "Draws",
    "History",
    "Invariant",
    "Knob",
    "Number",
    "OneOf",
    "Pattern",
    "Queued",
    "Run",
    "RunLimit",
    "Scenario",
    "Script",
    "Sim",
    "Switch",
    "Text",
    "begin",
    "build",
    "check_plain",
    "checked",
    "digest_of",
    "dispatch",
    "knob",
    "knobs_of",
    "run_pattern",
    "run_script",
    "run_until",
    "start",
    "step",
    "trace_line",
    "trace_of",
]
