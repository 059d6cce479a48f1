"""The command line: what it prints, and what it refuses."""

from __future__ import annotations

import json

import pytest

import pysims
from pysims.__main__ import main
from pysims.patterns.hash_ring import SetWeight


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
    assert capsys.readouterr().err.startswith(f"pysims: {sentence}")


def test_a_script_is_checked_before_the_run() -> None:
    with pytest.raises(ValueError, match="times in a script must be integers of 0 or more"):
        pysims.run("hash_ring", script=((-1, None),))
    with pytest.raises(ValueError, match="hash_ring has no event 5"):
        pysims.run("hash_ring", script=((1, 5),))
    with pytest.raises(ValueError, match="weight must be an integer from 1 to 10, got 99"):
        pysims.run("hash_ring", script=((1, SetWeight("A", 99)),))
    with pytest.raises(pysims.RunLimit, match="its limit of 1 events"):
        pysims.run("hash_ring", "jump", limit=1)
