"""Nothing hangs for ever, every failure says what happened, and starting again is possible."""

from __future__ import annotations

from typing import Any

import pytest

from tests.drivers import open_in_chromium
from tests.drivers.server import Fault, StaticServer
from tests.runtime.conftest import Site

pytestmark = pytest.mark.browser


def played(url: str) -> Any:
    """What a scenario came to."""
    done = open_in_chromium(url, "window.done").value
    assert "error" not in done, done["error"]
    return done["value"]


def missing(_: bytes) -> None:
    """There is no such file."""


def truncated(content: bytes) -> bytes:
    """The connection brought half of it, and the server calls that all."""
    return content[: len(content) // 2]


def damaged(content: bytes) -> bytes:
    """One byte in the middle is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


FETCHED = ("interpreter", "snapshot", "glue", "pyodide")
FAULTS = ((missing, "file-missing"), (truncated, "file-damaged"), (damaged, "file-damaged"))


@pytest.mark.parametrize("part", FETCHED)
@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_each_file_that_is_wrong_is_named(
    site: Site, server: StaticServer, part: str, fault: Fault, code: str
) -> None:
    server.faults[f"{part}."] = fault
    first = played(server.url(site.page("return await failure(simRuntime.start());")))
    assert first["code"] == code
    assert f"{part}." in first["message"]
    assert first["message"].startswith("A part of the simulation ")


def test_from_disk_a_missing_file_is_named(site: Site) -> None:
    for path in (site.folder / "runtime").glob("snapshot.*"):
        path.unlink()
    page = site.folder / site.page("return await failure(simRuntime.start());")
    first = played(page.as_uri())
    assert first["code"] == "file-missing"
    assert "snapshot." in first["message"]


def test_a_start_that_failed_can_be_repeated_without_what_arrived(
    site: Site, server: StaticServer
) -> None:
    """The page tells the server to repair itself by asking for a file of that name."""
    repaired = False

    def broken_until_repaired(content: bytes) -> bytes | None:
        return content if repaired else None

    def repair(content: bytes) -> bytes:
        nonlocal repaired
        repaired = True
        return content

    (site.folder / "repair.txt").write_text("done", encoding="utf-8")
    server.faults = {"snapshot.": broken_until_repaired, "repair": repair}
    scenario = """
      const first = await failure(simRuntime.start());
      await fetch("repair.txt");
      const runtime = await simRuntime.start();
      return [first.code, await runtime.call("again", "shout")];
    """
    assert played(server.url(site.page(scenario))) == ["file-missing", "AGAIN"]


@pytest.mark.parametrize(
    ("taken", "code"),
    [
        ("WebAssembly", "no-webassembly"),
        ("Worker", "no-worker"),
        ("DecompressionStream", "old-browser"),
    ],
)
def test_a_browser_that_lacks_something_is_told_so(
    site: Site, server: StaticServer, taken: str, code: str
) -> None:
    scenario = f"globalThis.{taken} = undefined; return await failure(simRuntime.start());"
    failure = played(server.url(site.page(scenario)))
    assert failure["code"] == code
    assert failure["message"].startswith("This browser ")
    assert not [name for name in server.requested if "snapshot" in name]


def test_a_policy_that_forbids_workers_is_reported(site: Site, server: StaticServer) -> None:
    policy = "worker-src 'none'; script-src 'self' 'wasm-unsafe-eval'"
    failure = played(server.url(site.page("return await failure(simRuntime.start());", policy)))
    assert failure["code"] == "worker-failed"


def test_a_snapshot_of_another_pyodide_is_refused(site: Site, server: StaticServer) -> None:
    entry = site.folder / "runtime" / "sim-runtime.js"
    text = entry.read_text(encoding="utf-8")
    other = text.replace('"version":"314.0.7"', '"version":"314.0.6"', 1)
    assert other != text
    entry.write_text(other, encoding="utf-8")
    failure = played(server.url(site.page("return await failure(simRuntime.start());")))
    assert failure["code"] == "version-mismatch"


def test_a_start_that_stands_still_is_ended(site: Site, server: StaticServer) -> None:
    """A worker that never says anything, as PyScript's does not when it fails inside."""
    before = """
      globalThis.Worker = class extends Worker {
        constructor() { super(URL.createObjectURL(new Blob([""]))); }
      };
    """
    scenario = "return await failure(simRuntime.start({ bootTimeoutMs: 1500 }));"
    assert played(server.url(site.page(scenario, before=before)))["code"] == "boot-timeout"


def test_python_exceptions_name_themselves_and_do_no_harm(site: Site, server: StaticServer) -> None:
    scenario = """
      const runtime = await simRuntime.start();
      return [
        await failure(ask(runtime, { do: "no such thing" })),
        await failure(ask(runtime, { do: "fail" })),
        await failure(runtime.call("x", "no_such_function")),
        await ask(runtime, { do: "draw", with: ["still", "here"] }),
      ];
    """
    unknown, in_template, no_function, drawn = played(server.url(site.page(scenario)))
    assert unknown["code"] == "call-failed"
    assert unknown["message"] == "KeyError: 'no such thing'"
    assert in_template["message"].startswith("jinja2.exceptions.UndefinedError: ")
    assert no_function["message"].startswith("LookupError: ")
    assert "still" in drawn


def test_a_module_that_was_not_imported_before_is_missing_by_name(
    site: Site, server: StaticServer
) -> None:
    scenario = """
      const runtime = await simRuntime.start();
      return await failure(ask(runtime, { do: "import", with: "sqlite3" }));
    """
    failure = played(server.url(site.page(scenario)))
    assert failure["message"] == "ModuleNotFoundError: No module named 'sqlite3'"


def test_a_hang_is_ended_and_the_next_start_costs_no_bytes(
    site: Site, server: StaticServer
) -> None:
    scenario = """
      const deaths = [];
      const runtime = await simRuntime.start(
        { callTimeoutMs: 1500, onDeath: ({ code }) => deaths.push(code) });
      const before = performance.getEntriesByType("resource").length;
      const hung = await failure(ask(runtime, { do: "hang" }));
      const afterwards = await failure(runtime.call("x", "shout"));
      const second = await simRuntime.start();
      const digest = await ask(second, { do: "digest", with: 7 });
      const after = performance.getEntriesByType("resource").length;
      return { deaths, hung, afterwards, digest, fetched: after - before };
    """
    outcome = played(server.url(site.page(scenario)))
    assert outcome["hung"]["code"] == "call-timeout"
    assert outcome["afterwards"]["code"] == "call-timeout"
    assert outcome["deaths"] == ["call-timeout"]
    assert len(outcome["digest"]) == 64
    # PyScript reads the few lines of Python that it runs from a data: address.
    assert outcome["fetched"] <= 1


def test_a_terminated_worker_answers_nobody_and_is_no_death(
    site: Site, server: StaticServer
) -> None:
    scenario = """
      const deaths = [];
      const runtime = await simRuntime.start({ onDeath: ({ code }) => deaths.push(code) });
      const waiting = failure(ask(runtime, { do: "hang" }));
      await patience(100);
      runtime.terminate();
      const { code } = await waiting;
      return { code, later: (await failure(runtime.call("x", "shout"))).code, deaths };
    """
    assert played(server.url(site.page(scenario))) == {
        "code": "terminated",
        "later": "terminated",
        "deaths": [],
    }


OUT_OF_MEMORY = "The simulation ran out of memory. Other tabs and programs, closed, give some back."


def test_a_worker_that_breaks_is_reported_once(site: Site, server: StaticServer) -> None:
    """An error that no one in the worker catches, as after the browser took its memory."""
    before = """
      const workers = [];
      globalThis.Worker = class extends Worker {
        constructor(...args) { super(...args); workers.push(this); }
      };
    """
    scenario = """
      const deaths = [];
      const onDeath = ({ code, message }) => deaths.push([code, message]);
      const runtime = await simRuntime.start({ onDeath });
      workers[0].dispatchEvent(new ErrorEvent("error", { message: "out of memory" }));
      workers[0].dispatchEvent(new ErrorEvent("error", { message: "out of memory" }));
      return { deaths, later: (await failure(runtime.call("x", "shout"))).code };
    """
    assert played(server.url(site.page(scenario, before=before))) == {
        "deaths": [["out-of-memory", OUT_OF_MEMORY]],
        "later": "out-of-memory",
    }


def test_progress_is_counted_in_bytes(site: Site, server: StaticServer) -> None:
    scenario = """
      const steps = [];
      await simRuntime.start({ onProgress: (step) => steps.push(step) });
      const sizes = Object.values(__simManifest.files).map(({ bytes }) => bytes);
      return { steps, files: sizes.length, size: sizes.reduce((a, b) => a + b) };
    """
    outcome = played(server.url(site.page(scenario)))
    loaded = [step["loaded"] for step in outcome["steps"]]
    assert loaded == sorted(loaded)
    assert loaded[0] == 0
    assert loaded[-1] == outcome["size"] == outcome["steps"][0]["total"]
    # More often than once a file: large ones are counted while they arrive.
    assert len(loaded) > 1 + outcome["files"]


def test_two_starts_at_once_are_two_workers(site: Site, server: StaticServer) -> None:
    scenario = """
      const pair = await Promise.all([simRuntime.start(), simRuntime.start()]);
      pair[0].terminate();
      return await pair[1].call("alive", "shout");
    """
    assert played(server.url(site.page(scenario))) == "ALIVE"


def test_the_runtime_outlives_what_the_page_shows(site: Site, server: StaticServer) -> None:
    """Material's instant navigation replaces the body and most of the head."""
    scenario = """
      const runtime = await simRuntime.start();
      document.head.replaceChildren();
      document.body.replaceWith(document.createElement("body"));
      history.pushState({}, "", "other/page.html");
      const first = await runtime.call("one", "shout");
      runtime.terminate();
      const second = await simRuntime.start();
      return [first, await second.call("two", "shout")];
    """
    assert played(server.url(site.page(scenario))) == ["ONE", "TWO"]
