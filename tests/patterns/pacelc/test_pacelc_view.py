"""The picture says what the state says: verdicts, lanes, the table of R and W, and what is cut."""

from itertools import pairwise
from typing import Any

import pytest

import pysims
from pysims.kernel import Sim
from pysims.patterns.pacelc import CutAway, EventualRead, SetLink, State, Write
from pysims.patterns.pacelc.model import floor_of, is_stale
from pysims.patterns.pacelc.view import alternative, describe, focus, view
from pysims.patterns.pacelc.words import readouts
from pysims.widget.render import frame
from pysims.widget.session import command, opened


def shown(scenario: str) -> tuple[State, int]:
    """The moment of a scenario that the page shows first."""
    session = opened("w", "pacelc", scenario)
    return session.sim.state, session.now_ms


def pictured(scenario: str) -> Any:
    return view(*shown(scenario))


def test_the_page_shows_a_read_that_overlap_saved_and_the_same_read_stale() -> None:
    (saved,), (stale,) = (focus(*shown(scenario)) for scenario in ("quorum", "read-one"))
    assert saved.id == stale.id
    state, _ = shown("read-one")
    assert is_stale(state, stale)
    assert saved.result == stale.result + 1
    for scenario, mark, words in (
        ("quorum", "good", f"6 ms: v{saved.result}, fresh, as promised"),
        (
            "read-one",
            "bad",
            f"4 ms: v{stale.result}, STALE: v{saved.result} was acknowledged before",
        ),
    ):
        block = pictured(scenario)["lanes"]["blocks"][0]
        assert (block["mark"], block["words"]) == (mark, words)
        assert [lane["old"] for lane in block["lanes"]] == [False, True, False]


def test_the_two_reads_of_dynamodb_stand_side_by_side() -> None:
    scene = pictured("dynamodb")
    eventual, consistent = scene["lanes"]["blocks"]
    assert eventual["title"] == "Eventual read at B: waits for 1 of 3, ½ unit"
    assert consistent["title"] == "Consistent read at B: waits for 2 of 3, 1 unit"
    assert (eventual["mark"], consistent["mark"]) == ("bad", "good")
    assert [row["mine"] for row in scene["recent"]] == [True, True, True]
    assert [row["what"] for row in scene["recent"]] == [
        "Consistent at B",
        "Eventual at B",
        "Write at A",
    ]


@pytest.mark.parametrize("scenario", ["quorum", "read-one", "ocean", "dynamodb", "cut-away"])
def test_the_table_and_the_readouts_repeat_the_tally(scenario: str) -> None:
    state, now_ms = shown(scenario)
    scene: Any = view(state, now_ms)
    params, tally = state.params, state.tally
    chosen = []
    for r, row in enumerate(scene["trade"]["rows"], 1):
        for w, cell in enumerate(row["cells"], 1):
            reads = sum(tally.read_ms[r - 1])
            assert cell["says"] == f"{tally.stale[r - 1][w - 1]} of {reads} reads stale"
            assert cell["safe"] == (r + w > 3)
            assert cell["text"] == "0 %" if cell["safe"] else True
            chosen += [(r, w)] if cell["chosen"] else []
    assert chosen == [(params.read_quorum, params.write_quorum)]
    stale = tally.stale[params.read_quorum - 1][params.write_quorum - 1]
    note = next(each["note"] for each in scene["readouts"] if each["label"] == "Stale reads")
    assert note.startswith(f"{stale} of ")


def test_a_replica_that_is_cut_away_is_drawn_so() -> None:
    scene = pictured("cut-away")
    assert [node["away"] for node in scene["map"]["nodes"]] == [False, False, True]
    assert [line["cut"] for line in scene["map"]["lines"]] == [False, True, True]
    lanes = scene["lanes"]["blocks"][0]["lanes"]
    assert [lane["text"] for lane in lanes[:2]] == ["no answer", "no answer"]
    assert "✕ cut" in frame(opened("w", "pacelc", "cut-away"))


def test_beside_the_cut_a_read_has_just_failed_and_with_one_answer_is_stale() -> None:
    scene = pictured("cut-away")
    (block,) = scene["lanes"]["blocks"]
    assert block["title"] == "Read at C: waits for 2 of 3"
    assert (block["mark"], block["words"]) == ("bad", "1000 ms: failed: 1 of 2 answers in time")
    assert scene["recent"][-1]["words"] == "failed: 1 of 2"
    session = opened("w", "pacelc", "cut-away", {"read_quorum": 1, "write_quorum": 1})
    (read,) = focus(session.sim.state, session.now_ms)
    assert (read.site, read.result) == ("C", 93)
    assert floor_of(session.sim.state, read) == 96
    newest = max(replica.version for replica in session.sim.state.replicas)
    assert session.sim.state.replicas[2].version < newest


@pytest.mark.parametrize("scenario", ["quorum", "read-one", "cut-away"])
def test_the_marks_lie_on_their_steps(scenario: str) -> None:
    for line in pictured(scenario)["latencies"]["lines"]:
        corners = [tuple(map(float, pair.split())) for pair in line["d"][1:].split("L")]
        for mark in line["marks"]:
            assert any(
                abs(x - mark["x"]) < 0.06
                and abs(other - x) < 0.06
                and low - 0.06 <= mark["y"] <= y + 0.06
                for (x, y), (other, low) in pairwise(corners)
            ), (line["label"], mark)


def test_the_list_and_the_lanes_keep_their_room() -> None:
    whole = opened("w", "pacelc", "quorum")
    heights = set()
    for session in (command(whole, {"do": "start"}), whole, command(whole, {"do": "end"})):
        scene: Any = view(session.sim.state, session.now_ms)
        heights.add((scene["lanes"]["height"], scene["rows"]))
        assert len(scene["recent"]) <= scene["rows"]
    assert len(heights) == 1


def test_without_a_quorum_most_requests_have_no_median() -> None:
    script = [(10, CutAway("A")), (20, CutAway("B"))]
    params = {"requests": 100, "timeout_ms": 100}
    run = pysims.run("pacelc", params=params, script=script, until_ms=5_000)
    median = next(each for each in readouts(run.last) if each["label"] == "Read, R = 2")
    assert median["value"] == "> 100 ms"


def test_messages_move_along_their_link() -> None:
    run = pysims.run(
        "pacelc",
        params={"requests": 0, "layout": "ocean"},
        script=[(10, Write("A"))],
        until_ms=20,
    )
    state = run.last
    picture = [view(state, now_ms)["map"]["messages"] for now_ms in (12, 30, 45)]
    ids = [[message["id"] for message in messages] for messages in picture]
    assert ids[0] == ids[1] == ids[2]
    rights = [messages[0]["x"] for messages in picture]
    assert rights[0] < rights[1] < rights[2]
    assert {message["label"] for message in picture[1]} == {"v1"}


def test_sentences_tell_what_happened() -> None:
    script = [(10, Write("A")), (500, CutAway("C")), (600, EventualRead("C"))]
    script += [(700, SetLink("AB", "ocean"))]
    run = pysims.run("pacelc", params={"requests": 0}, script=script, seed=1, until_ms=3_000)
    said = [describe(*run.history.change(index)) for index in range(1, len(run.history))]
    assert "Your write of v1 at A: it asks all 3 and waits for 2 replicas." in said
    assert any(line.startswith("Write at A is done after ") for line in said)
    assert "C is cut away: nothing gets to it or from it." in said
    assert "A message from C to A is lost." in said
    assert any("89 ms there and back (light needs 65 ms)" in line for line in said)
    assert all(line.endswith(".") for line in said)


def test_the_text_alternative_says_what_the_picture_shows() -> None:
    state, now_ms = shown("ocean")
    text = alternative(state, now_ms)
    assert "R + W = 2 + 2 > N = 3" in text
    assert "A–B 89 ms (light in fiber: 65 ms)" in text
    for replica in state.replicas:
        assert f"{replica.name} ({replica.place}) v{replica.version}" in text


@pytest.mark.parametrize("replicas", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("layout", ["zone", "region", "mixed", "ocean"])
def test_every_n_and_layout_can_be_drawn(replicas: int, layout: str) -> None:
    params = {"replicas": replicas, "layout": layout, "read_quorum": 1, "write_quorum": 1}
    run = pysims.run("pacelc", params={**params, "requests": 30}, until_ms=4_000)
    middle: Sim[State] = run.history[len(run.history) // 2]
    scene: Any = view(middle.state, middle.now_ms)
    assert len(scene["map"]["nodes"]) == replicas
    assert len(scene["map"]["lines"]) == replicas * (replicas - 1) / 2
    for node in scene["map"]["nodes"]:
        assert 17 <= node["x"] <= 323
        assert 17 <= node["y"] <= scene["map"]["height"] - 17
    session = opened("w", "pacelc", "read-one", {**params, "requests": 30})
    assert frame(command(session, {"do": "start"}))
