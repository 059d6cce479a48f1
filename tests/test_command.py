"""The command line: what it prints, and what it refuses."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import pysims
from pysims.__main__ import main
from pysims.command import plots
from pysims.command.shown import Paint, Progress, paint_for
from pysims.kernel import Script, build
from pysims.patterns.hash_ring import SetWeight
from pysims.sweep import Sweep, answers, spread_of
from tests.catalog import STORIES, STORY_IDS

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[1]
ESCAPE = "\x1b["


def command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a shell starts it."""
    return subprocess.run(
        [sys.executable, "-m", "pysims", *arguments],
        cwd=more.pop("cwd", ROOT),
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_list_names_every_scenario_with_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for pattern_id in pysims.pattern_ids():
        for scenario in pysims.load_pattern(pattern_id).scenarios:
            assert f"{scenario.id} " in printed
            assert scenario.claim in printed


def test_run_prints_the_story_and_the_digest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "hash_ring", "--scenario", "ring-kill"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("D died: 50 of 200 keys moved (25 %), none of them needlessly.")
    assert lines[-1] == f"digest {pysims.run('hash_ring', 'ring-kill').digest}"


def test_run_takes_parameters_seed_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "hash_ring", "--scenario", "jump", "--set", "keys=50", "--seed", "3"]
    assert main([*arguments, "--until-ms", "5000", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    same = pysims.run("hash_ring", "jump", params={"keys": 50}, seed=3, until_ms=5_000)
    assert printed == {"pattern": "hash_ring", "trace": list(same.trace), "digest": same.digest}
    assert len(same.trace) == 2


def test_a_link_leads_to_the_run_that_it_was_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["hash_ring", "--scenario", "jump", "--set", "keys=50", "--seed", "3"]
    assert main(["link", *chosen, "--site", "https://example.org/x/"]) == 0
    url = capsys.readouterr().out.strip()
    page, _, text = url.partition("#?")
    assert page == "https://example.org/x/embed/hash_ring/jump.html"
    assert text == "v=1&run=hash_ring/jump&seed=3&set=keys=50&at=6000:3"
    assert main(["run", *chosen]) == 0
    ran = capsys.readouterr().out
    assert main(["run", "--link", url]) == 0
    assert capsys.readouterr().out == ran
    assert main(["link", "hash_ring", "--at-ms", "0"]) == 0
    assert capsys.readouterr().out.startswith("embed/hash_ring/ring-kill.html#?v=1&run=")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run"], "run takes the name of a pattern, or --link"),
        (["run", "--link", "x"], "a link has v, run, seed, set, do, until, at, each with ="),
        (["run", "raft", "--link", "v=1"], "--link holds the whole run, leave out what else"),
        (["link", "hash_ring", "--seed", "-1"], "seed must be an integer from 0 to"),
        (["link", "hash_ring", "--at-ms", "-1"], "--at-ms must be from 0 to"),
        (["sweep"], "sweep takes the name of a pattern, or --link"),
        (["sweep", "--questions"], "--questions takes the name of a pattern"),
        (["sweep", "raft", "--question", "x"], "raft has no question 'x', it has: election"),
        (["sweep", "raft", "--seeds", "0"], "the number of seeds must be an integer from 1 to"),
        (["sweep", "raft", "--first", "-1"], "the first seed must be an integer from 0 to"),
        (["sweep", "raft", "--jobs", "0"], "--jobs must be 1 or more, got 0"),
        (["sweep", "raft", "--limit", "0"], "--limit must be 1 or more, got 0"),
        (["sweep", "raft", "--link", "v=1"], "--link holds the whole run, leave out what else"),
        (["sweep", "raft", "--set", "servers=99"], "servers must be"),
        (["plot"], "plot takes the name of a pattern, or --link"),
        (["plot", "raft", "-o", "x.gif"], "--output must end in .png, .svg, .pdf, which say the"),
        (["plot", "raft", "--question", "x"], "raft has no question 'x', it has: election"),
        (["plot", "raft", "--question", "terms", "--seed", "1"], "--seed is for one run"),
        (["plot", "raft", "-o", "/no/such/folder/x.png"], "/no/such/folder/x.png cannot be"),
        (["run", "nothing"], "there is no pattern 'nothing', there are: availability, bulkhead"),
        (["run", "hash_ring", "--scenario", "x"], "hash_ring has no scenario 'x'"),
        (["run", "hash_ring", "--set", "servers=21"], "servers must be an integer from 1 to 20"),
        (["run", "hash_ring", "--set", "servers"], "--set takes NAME=VALUE, got ['servers']"),
        (["run", "hash_ring", "--seed", "-1"], "seed must be an integer from 0 to 4294967295"),
        (["run", "hash_ring", "--until-ms", "-5"], "until_ms must be 0 or more, got -5"),
    ],
)
def test_what_is_not_allowed_is_named(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"pysims: {sentence}")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "pysims: the following arguments are required: verb"),
        (["run", "raft", "--seed", "x"], "pysims run: argument --seed: invalid int value: 'x'"),
        (["sweep", "raft", "--format", "xml"], "pysims sweep: argument --format: invalid choice"),
        (["run", "raft", "--color", "red"], "pysims run: argument --color: invalid choice: 'red'"),
    ],
)
def test_what_cannot_be_read_is_one_line_too(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(sentence)
    assert printed.count("\n") == 1


def test_a_script_is_checked_before_the_run() -> None:
    with pytest.raises(ValueError, match="times in a script must be integers of 0 or more"):
        pysims.run("hash_ring", script=((-1, None),))
    with pytest.raises(ValueError, match="hash_ring has no event 5"):
        pysims.run("hash_ring", script=((1, 5),))
    with pytest.raises(ValueError, match="weight must be an integer from 1 to 10, got 99"):
        pysims.run("hash_ring", script=((1, SetWeight("A", 99)),))
    with pytest.raises(pysims.RunLimit, match="its limit of 1 events"):
        pysims.run("hash_ring", "jump", limit=1)


# --- Runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pattern", "scenario"), STORIES, ids=STORY_IDS)
def test_the_digest_is_the_golden_one(
    capsys: pytest.CaptureFixture[str], pattern: Any, scenario: Any
) -> None:
    assert main(["run", pattern.id, "--scenario", scenario.id]) == 0
    printed = capsys.readouterr().out.splitlines()
    golden = (GOLDEN / pattern.id / f"{scenario.id}.txt").read_text("utf-8").splitlines()
    assert printed[-1] == golden[-1]
    # What falls in a run is said in it, by a sign and in words, and what it shows in the end.
    fell = {line.partition("violated: ")[2] for line in printed if line.startswith("          ✗")}
    assert fell == set(scenario.breaks)
    lights = printed[-1 - len(pattern.invariants) : -1]
    assert [
        re.sub(r"^[✗✓–] |: (holds|violated|not promised here)$", "", line) for line in lights
    ] == [light.name for light in pattern.invariants]


def test_colors_are_for_a_terminal_that_does_not_mind() -> None:
    class Terminal:
        def __init__(self, is_one: bool) -> None:
            self.isatty = lambda: is_one

    def on(when: str, is_one: bool, **environment: str) -> bool:
        return paint_for(when, Terminal(is_one), environment).on  # type: ignore[arg-type]

    assert on("auto", True)
    assert on("auto", True, NO_COLOR="", TERM="xterm")
    assert not on("auto", True, NO_COLOR="1")
    assert not on("auto", True, TERM="dumb")
    assert not on("auto", False)
    assert on("always", False, NO_COLOR="1")
    assert not on("never", True)
    assert Paint(False)("words", "red") == "words"


def test_what_is_piped_has_no_escape_sequences_and_what_is_colored_has_the_same_words() -> None:
    story = ("run", "raft", "--scenario", "vote-twice")
    piped = command(*story)
    assert piped.returncode == 0
    assert ESCAPE not in piped.stdout + piped.stderr
    colored = command(*story, "--color", "always")
    assert f"{ESCAPE}2m" in colored.stdout
    assert f"{ESCAPE}31m✗ Election Safety: violated{ESCAPE}0m" in colored.stdout
    assert re.sub(r"\x1b\[\d+m", "", colored.stdout) == piped.stdout


def on_terminal(arguments: Sequence[str], **environment: str) -> str:
    """What a command prints on a terminal, both streams together."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pysims", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    printed = b""
    while True:
        try:
            more = os.read(leader, 65_536)
        except OSError:
            break
        if not more:
            break
        printed += more
    os.close(leader)
    assert process.wait() == 0
    return printed.decode()


def test_a_terminal_has_colors_unless_it_minds() -> None:
    story = ["run", "hash_ring", "--scenario", "jump"]
    assert ESCAPE in on_terminal(story)
    assert ESCAPE not in on_terminal(story, NO_COLOR="1")
    assert ESCAPE not in on_terminal([*story, "--color", "never"])


# --- Sweeps ---------------------------------------------------------------------------------------


def swept(pattern_id: str, scenario: str, question: str, first: int, count: int) -> list[Any]:
    pattern = pysims.load_pattern(pattern_id)
    story = pattern.scenario(scenario)
    params: Any = build(pattern.params, story.params)
    one = Sweep(pattern, params, story.script, story.until_ms, pattern.question(question))
    return list(answers(one, first, count))


def test_a_sweep_prints_the_answers_of_its_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sweep", "raft", "--scenario", "split-vote", "--question", "terms", "--jobs", "1"]
    arguments += ["--first", "7", "--seeds", "20"]
    found = swept("raft", "split-vote", "terms", 7, 20)
    summary = spread_of(found)
    assert main([*arguments, "--format", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows == ["seed,answer,note", *(f"{each.seed},{each.value:.0f}," for each in found)]
    assert main([*arguments, "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["answers"] == [each.value for each in found]
    assert printed["p95"] == (summary.percentiles or {})[95]
    assert (printed["worst"], printed["first"]) == (summary.worst, 7)
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "seeds 7 to 26: 20 answered, 0 without an answer, 0 failed"
    assert f"  max  {summary.high:.0f} terms" in lines
    counts = [int(line.split()[1]) for line in lines if "█" in line]
    assert counts == [each.count for each in summary.bins if each.count]


def test_a_sweep_of_a_link_is_of_that_run(capsys: pytest.CaptureFixture[str]) -> None:
    link = "v=1&run=hash_ring/ring-kill&set=keys=50&do=500:RemoveServer:server=A&at=0"
    sweep = ["sweep", "--link", link, "--question", "moved", "--seeds", "3", "--jobs", "1"]
    assert main([*sweep, "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    pattern = pysims.load_pattern("hash_ring")
    script: Script = ((500, build(pattern.action("RemoveServer").event, {"server": "A"})),)
    params = {**pattern.scenario("ring-kill").params, "keys": 50}
    measure = pattern.question("moved").measure
    runs = [
        pysims.run("hash_ring", params=params, script=script, seed=seed, until_ms=4_000)
        for seed in range(3)
    ]
    assert printed["answers"] == [measure(run.history) for run in runs]
    assert all(printed["answers"])


def test_a_sweep_names_what_failed_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sweep", "raft", "--limit", "130", "--seeds", "30", "--jobs", "1"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    failed = int(re.findall(r"(\d+) failed", printed)[0])
    assert 0 < failed < 30
    assert "its limit of 130 events" in printed


def test_the_questions_of_a_pattern_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "saga", "--questions"]) == 0
    printed = capsys.readouterr().out
    for question in pysims.load_pattern("saga").questions:
        assert question.label in printed
        assert question.why in printed


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_the_number_of_processes_changes_no_byte(form: str) -> None:
    arguments = ("sweep", "raft", "--scenario", "split-vote", "--seeds", "40", "--format", form)
    one, two = (command(*arguments, "--jobs", jobs) for jobs in ("1", "2"))
    assert (one.returncode, one.stderr, two.stderr) == (0, "", "")
    assert one.stdout == two.stdout
    assert len(one.stdout) > 100


def test_a_bar_is_for_a_terminal() -> None:
    arguments = ["sweep", "hash_ring", "--seeds", "30", "--jobs", "1"]
    assert "30 of 30" in on_terminal(arguments)
    assert command(*arguments).stderr == ""
    bar = Progress(10)
    assert not bar.shows


# What a shell starts in the background ignores Ctrl-C, and so do these tests and all they start.
HEEDS = """import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"""


def test_ctrl_c_ends_all_processes_at_once() -> None:
    sweep = ("-m", "pysims", "sweep", "saga", "--scenario", "rush", "--jobs", "2")
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDS, *sweep],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A group of its own, as a shell makes one: Ctrl-C goes to all of it.
        start_new_session=True,
    )
    # Whether it has come as far as its processes or not, it must end cleanly.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(4)
    os.killpg(process.pid, signal.SIGINT)
    try:
        out, err = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        # It would go on for minutes.
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 130
    assert (out, err) == ("", "pysims: interrupted\n")


def test_a_reader_who_has_enough_is_no_error() -> None:
    # It prints more than a pipe holds, so it is still at it when nobody reads any more.
    with subprocess.Popen(
        [sys.executable, "-m", "pysims", "run", "raft", "--scenario", "storm"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().endswith(".\n")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


# --- Pictures -------------------------------------------------------------------------------------

SIGNS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def texts_of(path: Path) -> str:
    """The comments of an SVG, in which matplotlib leaves the texts that it draws as shapes."""
    return path.read_text("utf-8")


@pytest.mark.parametrize("suffix", SIGNS)
def test_a_picture_of_a_run_is_what_its_name_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"run{suffix}"
    assert main(["plot", "raft", "--scenario", "vote-twice", "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes().startswith(SIGNS[suffix])


def test_a_picture_of_a_run_shows_its_events_its_readouts_and_what_falls(tmp_path: Path) -> None:
    path = tmp_path / "run.svg"
    assert main(["plot", "raft", "--scenario", "vote-twice", "-o", str(path)]) == 0
    drawn = texts_of(path)
    for words in ("ElectionAlarm", "Deliver", "Highest term", "✗ Election Safety"):
        assert f"<!-- {words} -->" in drawn
    again = tmp_path / "again.svg"
    assert main(["plot", "raft", "--scenario", "vote-twice", "-o", str(again)]) == 0
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("pattern_id", pysims.pattern_ids())
def test_a_picture_can_be_drawn_of_every_pattern(pattern_id: str, tmp_path: Path) -> None:
    path = tmp_path / "run.svg"
    assert main(["plot", pattern_id, "-o", str(path)]) == 0
    ET.parse(path)  # noqa: S314  # we have just drawn it


def test_a_picture_of_a_sweep_has_a_bar_for_each_bin(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = ["--question", "terms", "--seeds", "12", "--jobs", "1"]
    assert main(["plot", "raft", "--scenario", "split-vote", *sweep]) == 0
    name = capsys.readouterr().out.strip()
    assert name == "raft-split-vote-terms-12-seeds.png"
    assert (tmp_path / name).read_bytes().startswith(SIGNS[".png"])
    assert main(["plot", "raft", "--scenario", "split-vote", *sweep, "-o", "x.svg"]) == 0
    drawn = texts_of(tmp_path / "x.svg")
    for each in spread_of(swept("raft", "split-vote", "terms", 0, 12)).bins:
        assert f"<!-- {each.text(True)} -->" in drawn


def test_without_matplotlib_the_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, package: str | None) -> Any:
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib.figure")

    monkeypatch.setattr(plots, "import_module", missing)
    assert main(["plot", "raft"]) == 2
    assert "pip install 'survive-chaos[plot]'" in capsys.readouterr().err


def test_nothing_but_the_picture_needs_more_than_the_standard_library() -> None:
    """Every verb but `plot`, in an interpreter without site-packages."""
    verbs = (
        ["list"],
        ["run", "raft"],
        ["link", "raft"],
        ["sweep", "raft", "--seeds=2", "--jobs=1"],
    )
    for verb in verbs:
        program = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
            f"from pysims.__main__ import main; sys.exit(main({verb!r}))"
        )
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
