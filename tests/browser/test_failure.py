"""When something breaks: a sentence in place, 'Try again', and the run as it was."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch, ask, ready

JUMP = "hash-ring-jump"
PAGE = "embed/hash_ring/jump.html"

# Keeps every worker that the page starts, so that a test can kill it.
KEEP_WORKERS = """window.started = [];
window.Worker = class extends Worker {
  constructor(...given) { super(...given); window.started.push(this); }
};"""


# Once `window.slow` is set, a worker takes three seconds for each question, one after the other.
SLOW_WORKERS = """Object.defineProperty(window, "simRuntime", {
  set({start, ...rest}) {
    const slowly = async (options) => {
      const runtime = await start(options);
      const call = runtime.call.bind(runtime);
      let turn = Promise.resolve();
      runtime.call = (text) => {
        if (!window.slow) return call(text);
        const slept = turn.then(() => new Promise((done) => setTimeout(done, 3000)));
        turn = slept.then(() => call(text));
        return turn;
      };
      return runtime;
    };
    Object.defineProperty(window, "simRuntime", {value: {...rest, start: slowly}});
  },
  configurable: true,
});"""


def allow(watch: Watch) -> None:
    """Failures are the point here: the console may name them."""
    watch.expected = lambda text: True


def damaged(url: str) -> str:
    """A script like those that bring the code of a pattern, with other bytes in it."""
    return f'(globalThis.__simFiles??={{}})["{url.rpartition("/")[2]}"]="H4sIAAAA";'


def try_again(widget: Any) -> Any:
    return widget.get_by_role("button", name="Try again")


def act(widget: Any) -> str:
    widget.get_by_label("Remove A").click()
    expect(widget.locator(".sim-says")).to_contain_text("A died")
    digest: str = ask(widget, {"do": "digest"})["digest"]
    return digest


def test_a_missing_file_is_said_and_tried_again(page: Page, watch: Watch, address: str) -> None:
    allow(watch)
    page.route("**/assets/runtime/**", lambda route: route.fulfill(status=404, body="gone"))
    page.goto(address + PAGE)
    widget = page.locator(f"#{JUMP}")
    expect(widget.locator(".sim-notice")).to_contain_text("could not be found", timeout=20_000)
    expect(widget.locator(".sim-says")).to_contain_text("B died")
    page.unroute("**/assets/runtime/**")
    try_again(widget).click()
    ready(page, JUMP)
    expect(widget.locator(".sim-notice")).to_have_count(0)


def test_a_pattern_that_does_not_come_is_said_and_tried_again(
    page: Page, watch: Watch, address: str
) -> None:
    allow(watch)
    code = "**/assets/runtime/hash_ring.*.js"
    page.route(code, lambda route: route.fulfill(status=404, body="gone"))
    page.goto(address + PAGE)
    widget = page.locator(f"#{JUMP}")
    expect(widget.locator(".sim-notice")).to_contain_text("could not be found", timeout=20_000)
    page.unroute(code)
    page.route(code, lambda route: route.fulfill(body=damaged(route.request.url)))
    try_again(widget).click()
    expect(widget.locator(".sim-notice")).to_contain_text("arrived damaged", timeout=20_000)
    page.unroute(code)
    try_again(widget).click()
    ready(page, JUMP)
    expect(widget.locator(".sim-notice")).to_have_count(0)


def test_a_worker_that_dies_gives_the_run_back(page: Page, watch: Watch, address: str) -> None:
    allow(watch)
    page.add_init_script(KEEP_WORKERS)
    page.goto(address + PAGE)
    widget = ready(page, JUMP)
    digest = act(widget)
    page.evaluate("window.started.at(-1).terminate()")
    widget.get_by_label("Step back").click()
    expect(widget.locator(".sim-notice")).to_contain_text("did not answer", timeout=15_000)
    expect(widget.locator(".sim-says")).to_contain_text("A died")
    try_again(widget).click()
    expect(widget.locator(".sim-notice")).to_have_count(0, timeout=20_000)
    assert ask(widget, {"do": "digest"})["digest"] == digest
    widget.get_by_label("Step back").click()
    expect(widget.locator(".sim-says")).to_contain_text("B died")


def test_a_question_does_not_wait_for_its_turn_on_its_own_time(page: Page, address: str) -> None:
    """Five slow answers in a row: none of them is late, although the last takes fifteen seconds."""
    page.add_init_script(SLOW_WORKERS)
    page.goto(address + PAGE)
    widget = ready(page, JUMP)
    answers = widget.evaluate(
        """async (widget) => {
          window.slow = true;
          const begun = performance.now();
          const asked = [1, 2, 3, 4, 5].map(() => widget.ask({do: "digest"}));
          const digests = (await Promise.all(asked)).map((answer) => answer.digest);
          window.slow = false;
          return {digests, took: performance.now() - begun};
        }"""
    )
    assert answers["digests"] == [ask(widget, {"do": "digest"})["digest"]] * 5
    assert answers["took"] > 12_000
    expect(widget.locator(".sim-notice")).to_have_count(0)


def test_a_mistake_in_python_is_said_and_the_run_stays(
    page: Page, watch: Watch, address: str
) -> None:
    allow(watch)
    page.goto(address + PAGE)
    widget = ready(page, JUMP)
    digest = act(widget)
    # No control of the page sends this; the pattern's code fails on it as it would on its own.
    widget.evaluate("e => e.send({do: 'act', name: 'Lookup', arguments: 5})")
    expect(widget.locator(".sim-notice")).to_contain_text("The simulation made a mistake")
    expect(widget.locator(".sim-says")).to_contain_text("A died")
    try_again(widget).click()
    expect(widget.locator(".sim-notice")).to_have_count(0)
    assert ask(widget, {"do": "digest"})["digest"] == digest


def test_without_webassembly_the_frame_stays_and_says_why(
    page: Page, watch: Watch, address: str
) -> None:
    allow(watch)
    page.add_init_script("delete window.WebAssembly")
    page.goto(address + PAGE)
    widget = page.locator(f"#{JUMP}")
    expect(widget.locator(".sim-notice")).to_contain_text("WebAssembly", timeout=40_000)
    expect(widget.locator(".sim-says")).to_contain_text("B died")
