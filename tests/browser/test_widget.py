"""The widget over HTTP: it starts when it is wanted, does what it is told, and stays itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import pysims
from pysims.kernel import Pattern
from pysims.widget.fence import widget_html
from pysims.widget.render import frame
from pysims.widget.session import opened
from tests.browser.conftest import SITE, Watch, element_of, ready, runs_in
from tests.catalog import PATTERNS

CHAPTER = "consistent-hashing.html"
RING = "hash-ring-ring-kill"
JUMP = "hash-ring-jump"


def embed(pattern: Any, scenario: Any) -> str:
    return f"embed/{pattern.id}/{scenario.id}.html"


# --- Before Python --------------------------------------------------------------------------------


def test_without_scripts_the_page_teaches(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + CHAPTER)
    figure = page.locator(f"#{JUMP}")
    expect(figure.locator("svg[role=img]").first).to_be_visible()
    expect(figure.locator(".sim-says")).to_contain_text("B died: 136 of 200 keys moved")
    expect(figure.locator(".sim-transport")).to_be_hidden()
    expect(figure.locator(".sim-actions")).to_be_hidden()
    figure.locator("summary", has_text="Trace").click()
    expect(figure.locator(".sim-trace li")).to_have_count(3)
    context.close()


def test_nothing_of_python_is_loaded_before_interest(
    page: Page, watch: Watch, address: str
) -> None:
    page.goto(address + CHAPTER, wait_until="networkidle")
    assert watch.runtime() == []
    expect(page.locator("sim-widget .sim-button--play").first).to_have_text("Play")
    page.locator(f"#{JUMP}").scroll_into_view_if_needed()
    page.locator(f"#{JUMP}[data-ready]").wait_for()
    assert watch.runtime()


def test_the_index_of_the_search_comes_when_somebody_searches(watch: Watch, address: str) -> None:
    page = watch.page

    def indexes() -> list[str]:
        return [url for url in watch.requests if "/search/search_index" in url]

    page.goto(address + "faq.html")
    page.wait_for_load_state("networkidle")
    assert indexes() == []
    page.keyboard.press("s")
    expect(page.locator(".md-search__input")).to_be_focused()
    page.keyboard.type("rendezvous")
    expect(page.locator(".md-search-result__item").first).to_be_visible()
    assert len(indexes()) == 1


def hold_back_the_runtime(page: Page) -> Callable[[], None]:
    """From now on no file of the runtime comes; what is returned lets them in."""
    held: list[Any] = []
    is_open = False

    def gate(route: Any) -> None:
        if is_open:
            route.continue_()
        else:
            held.append(route)

    def let_in() -> None:
        nonlocal is_open
        is_open = True
        for route in held:
            route.continue_()

    page.route("**/assets/runtime/**", gate)
    return let_in


def test_a_click_made_while_python_starts_is_kept(page: Page, address: str) -> None:
    let_in = hold_back_the_runtime(page)
    page.goto(address + CHAPTER)
    widget = page.locator(f"#{JUMP}")
    widget.scroll_into_view_if_needed()
    widget.get_by_label("Step back").click()
    widget.get_by_label("Step back").click()
    expect(widget.locator(".sim-says")).to_contain_text("B died")
    let_in()
    expect(widget.locator(".sim-says")).to_contain_text("D died", timeout=30_000)


def test_a_panel_opened_while_python_starts_is_filled_when_it_has(page: Page, address: str) -> None:
    let_in = hold_back_the_runtime(page)
    page.goto(address + CHAPTER)
    widget = page.locator(f"#{JUMP}")
    settings = widget.locator(f"#{JUMP}-settings")
    settings.locator("summary").click()
    expect(settings).to_contain_text("This comes with the running simulation")
    expect(settings.locator("input")).to_have_count(0)
    let_in()
    expect(settings.get_by_label("Seed")).to_be_visible(timeout=30_000)
    expect(settings).not_to_contain_text("This comes with the running simulation")
    expect(settings).to_have_attribute("open", "")
    expect(settings.locator("summary")).to_be_focused()


def test_a_figure_far_away_takes_its_controls_out_when_it_comes_near(
    page: Page, address: str
) -> None:
    hold_back_the_runtime(page)
    page.goto(address + CHAPTER)
    page.wait_for_timeout(300)
    figures = page.locator("sim-widget")
    expect(figures.first.locator("template")).to_have_count(0)
    last = figures.last
    expect(last.locator("template")).to_have_count(4)
    expect(last.locator(":scope select")).to_have_count(0)
    last.evaluate("figure => figure.scrollIntoView()")
    expect(last.locator("template")).to_have_count(0)
    expect(last.get_by_role("button", name="Play", exact=True)).to_be_visible()
    # Nothing is lost on the way: there are as many buttons as in a page with this figure alone.
    baked = widget_html(
        str(last.get_attribute("data-pattern")), last.get_attribute("data-scenario")
    )
    inner = last.locator(":scope > .sim").evaluate("figure => figure.outerHTML")
    assert inner.count("<button") == baked.count("<button")


def test_progress_is_shown_in_bytes(page: Page, address: str) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 20,
            "downloadThroughput": 2_000_000,
            "uploadThroughput": 2_000_000,
        },
    )
    page.goto(address + CHAPTER)
    page.locator(f"#{RING}").scroll_into_view_if_needed()
    expect(page.locator(f"#{RING} .sim-notice")).to_contain_text(
        "of ",
        timeout=20_000,
    )
    assert "MB" in page.locator(f"#{RING} .sim-notice").inner_text()
    page.locator(f"#{RING}[data-ready]").wait_for(timeout=60_000)
    expect(page.locator(f"#{RING} .sim-notice")).to_have_count(0)


# --- The same run and the same picture ------------------------------------------------------------


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_the_browser_computes_the_same_run_and_draws_the_same_frame(
    page: Page, address: str, pattern: Pattern
) -> None:
    first = pattern.scenarios[0]
    page.goto(address + embed(pattern, first))
    widget = ready(page, element_of(pattern.id, first.id))
    for scenario, (digest, html) in zip(pattern.scenarios, runs_in(widget, pattern), strict=True):
        assert digest == pysims.run(pattern.id, scenario.id).digest
        name = element_of(pattern.id, scenario.id)
        assert html == frame(opened(name, pattern.id, scenario.id))
        baked = (SITE / embed(pattern, scenario)).read_text("utf-8")
        assert widget_html(pattern.id, scenario.id) in baked


# --- Every control, by mouse ----------------------------------------------------------------------


@pytest.fixture
def jump(page: Page, address: str) -> Any:
    page.goto(address + CHAPTER)
    return ready(page, JUMP)


def says(widget: Any) -> Any:
    return widget.locator(".sim-says")


def test_transport_by_mouse(jump: Any) -> None:
    jump.get_by_label("Step back").click()
    expect(says(jump)).to_contain_text("D joined")
    jump.get_by_label("To the start").click()
    expect(says(jump)).to_contain_text("At the start")
    expect(jump.get_by_label("Step back")).to_be_disabled()
    jump.get_by_label("Step forward").click()
    expect(says(jump)).to_contain_text("D died")
    jump.get_by_label("To the end").click()
    expect(says(jump)).to_contain_text("B died")
    jump.get_by_label("Moment of the run").fill("2")
    expect(says(jump)).to_contain_text("D joined")
    jump.locator("summary", has_text="Trace").click()
    jump.locator(".sim-line", has_text="At the start").click()
    expect(says(jump)).to_contain_text("At the start")
    expect(jump.locator("details", has_text="Trace")).to_have_attribute("open", "")


def test_the_scrubber_by_keyboard_and_by_a_click_on_its_track(jump: Any) -> None:
    scrubber = jump.get_by_label("Moment of the run")
    scrubber.focus()
    for sentence, value in [("D joined", "2"), ("D died", "1"), ("At the start", "0")]:
        jump.page.keyboard.press("ArrowLeft")
        expect(says(jump)).to_contain_text(sentence)
        expect(scrubber).to_have_value(value)
    jump.page.keyboard.press("End")
    expect(says(jump)).to_contain_text("B died")
    box = scrubber.bounding_box()
    assert box
    jump.page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    expect(says(jump)).to_contain_text("D died")
    expect(scrubber).to_have_value("1")
    jump.page.keyboard.press("ArrowRight")
    expect(says(jump)).to_contain_text("D joined")
    expect(scrubber).to_have_value("2")


def test_the_newest_position_of_a_slider_is_never_lost(jump: Any) -> None:
    """It comes while the one before is on its way, and the ones between are passed over."""
    jump.evaluate("w => { for (const value of [0, 1, 2, 3, 2, 1]) w.send({do: 'seek', value}); }")
    expect(jump.locator(".sim-clock")).to_contain_text("event 1 of")


def test_playing_speed_and_pause(jump: Any) -> None:
    jump.get_by_label("To the start").click()
    # Slowly, so that there is time to press Pause before the story is over.
    jump.get_by_label("Speed", exact=True).select_option("0.5")
    jump.get_by_role("button", name="Play").click()
    expect(says(jump)).to_contain_text("D died", timeout=30_000)
    jump.get_by_role("button", name="Pause").click()
    jump.get_by_label("Speed", exact=True).select_option("4.0")
    clock = jump.locator(".sim-clock").inner_text()
    jump.page.wait_for_timeout(500)
    assert jump.locator(".sim-clock").inner_text() == clock
    jump.get_by_role("button", name="Play").click()
    expect(jump.get_by_role("button", name="Play")).to_be_visible(timeout=30_000)
    expect(jump.locator(".sim-clock")).to_contain_text("8.00 s")


def test_actions_by_mouse(jump: Any) -> None:
    jump.get_by_label("Remove A").click()
    expect(says(jump)).to_contain_text("A died")
    jump.get_by_role("button", name="Add a server").click()
    expect(says(jump)).to_contain_text("A joined")
    jump.get_by_label("Server", exact=True).select_option("C")
    jump.get_by_label("Weight", exact=True).fill("3")
    jump.get_by_role("button", name="Set weight").click()
    expect(says(jump)).to_contain_text("C now has weight 3")
    jump.get_by_label("Your key").fill("my own key")
    jump.get_by_role("button", name="Look up").click()
    expect(says(jump)).to_contain_text("The key “my own key” lives on")


def test_settings_and_reset(jump: Any) -> None:
    jump.get_by_label("Strategy", exact=True).select_option("ring")
    expect(says(jump)).to_contain_text("none of them needlessly")
    jump.locator("summary", has_text="Settings").click()
    jump.get_by_label("Keys, exactly").fill("50")
    jump.get_by_label("Keys, exactly").press("Enter")
    expect(says(jump)).to_contain_text("of 50 keys")
    jump.get_by_label("Virtual nodes per server", exact=True).fill("0")
    expect(jump.get_by_label("Virtual nodes per server, exactly")).to_have_value("1")
    jump.get_by_label("Seed", exact=True).fill("7")
    jump.get_by_label("Seed", exact=True).press("Tab")
    expect(jump.get_by_label("Seed", exact=True)).to_have_value("7")
    jump.get_by_role("button", name="Reset").click()
    expect(says(jump)).to_contain_text("B died: 136 of 200 keys moved")
    expect(jump.get_by_label("Seed", exact=True)).to_have_value("281")
    jump.get_by_label("Scenario").select_option("rendezvous")
    expect(jump.locator(".sim-title")).to_have_text("Rendezvous: kill one of four")


def test_bad_input_is_a_sentence_and_the_run_stays(jump: Any) -> None:
    before = says(jump).inner_text()
    jump.locator("summary", has_text="Settings").click()
    jump.get_by_label("Servers at the start, exactly").fill("99")
    jump.get_by_label("Servers at the start, exactly").press("Enter")
    expect(jump.locator(".sim-message")).to_have_text(
        "“Servers at the start” must be an integer from 1 to 20, got 99."
    )
    assert says(jump).inner_text() == before
    expect(jump.get_by_label("Servers at the start, exactly")).to_have_value("4")
    jump.get_by_label("Step back").click()
    expect(jump.locator(".sim-message")).to_have_text("")


# --- Every control, by keyboard -------------------------------------------------------------------


def test_the_scene_by_keyboard(jump: Any) -> None:
    scene = jump.locator(".sim-scene")
    scene.focus()
    for key, sentence in [
        ("ArrowLeft", "D joined"),
        ("Home", "At the start"),
        ("ArrowRight", "D died"),
        ("End", "B died"),
    ]:
        jump.page.keyboard.press(key)
        expect(says(jump)).to_contain_text(sentence)
    jump.page.keyboard.press(" ")
    expect(jump.get_by_role("button", name="Pause")).to_be_visible()
    jump.page.keyboard.press(" ")
    expect(jump.get_by_role("button", name="Play")).to_be_visible()
    jump.page.keyboard.press("r")
    expect(says(jump)).to_contain_text("B died")
    expect(scene).to_be_focused()


def test_everything_is_reached_by_tab_and_works_by_keyboard(jump: Any) -> None:
    page = jump.page
    page.evaluate(
        "document.querySelectorAll('#hash-ring-jump details').forEach(d => d.open = true)"
    )
    expect(jump.locator(".sim-code-line").first).to_be_visible()
    expect(jump.get_by_label("Question")).to_be_visible()
    wanted = page.evaluate(
        """() => [...document.querySelectorAll(
             '#hash-ring-jump :is(button, input, select, summary, [tabindex], a[href])')]
           .filter(e => !e.disabled && e.tabIndex >= 0 && e.checkVisibility())
           .map(e => e.id || e.textContent.trim().slice(0, 40))"""
    )
    jump.get_by_label("Scenario").focus()
    reached = []
    for _ in range(len(wanted)):
        reached.append(
            page.evaluate(
                "(e => e.id || e.textContent.trim().slice(0, 40))(document.activeElement)"
            )
        )
        page.keyboard.press("Tab")
    assert reached == wanted
    jump.get_by_label("Remove C").focus()
    page.keyboard.press("Enter")
    expect(says(jump)).to_contain_text("C died")
    jump.get_by_label("Your key").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("typed")
    page.keyboard.press("Enter")
    expect(says(jump)).to_contain_text("“typed”")
    jump.get_by_label("Strategy", exact=True).focus()
    page.keyboard.press("ArrowUp")
    expect(jump.get_by_label("Strategy", exact=True)).to_have_value("rendezvous")
    jump.get_by_label("Servers at the start", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(jump.get_by_label("Servers at the start, exactly")).to_have_value("5")


def test_the_focus_is_never_lost(jump: Any) -> None:
    inside = "document.querySelector('#hash-ring-jump').contains(document.activeElement)"
    jump.get_by_label("Step back").focus()
    for _ in range(4):
        jump.page.keyboard.press("Enter")
        jump.page.wait_for_timeout(150)
    expect(says(jump)).to_contain_text("At the start")
    expect(jump.get_by_label("Step back")).to_be_focused()
    jump.get_by_label("Remove A").focus()
    jump.page.keyboard.press("Enter")
    expect(says(jump)).to_contain_text("A died")
    jump.page.keyboard.press("Enter")
    jump.page.wait_for_timeout(300)
    expect(says(jump)).to_contain_text("A died")
    assert jump.page.evaluate(inside)
    expect(jump.locator(".sim-watch")).to_contain_text("You have changed this run")


def test_focus_and_selection_survive_the_patch(jump: Any) -> None:
    jump.get_by_label("To the start").click()
    jump.get_by_role("button", name="Play").click()
    field = jump.get_by_label("Your key")
    field.fill("half typed")
    field.evaluate("e => e.setSelectionRange(2, 6)")
    expect(says(jump)).to_contain_text("D died", timeout=5_000)
    expect(field).to_be_focused()
    expect(field).to_have_value("half typed")
    assert field.evaluate("e => [e.selectionStart, e.selectionEnd]") == [2, 6]
    says(jump).click()
    expect(says(jump)).to_contain_text("D joined", timeout=5_000)
    expect(field).to_have_value("half typed")


# --- Pages, visibility, layout --------------------------------------------------------------------


def test_one_worker_lives_across_instant_navigation(page: Page, watch: Watch, address: str) -> None:
    page.goto(address + "index.html")
    ready(page, RING)
    page.evaluate("window.sameDocument = true")
    loaded = len(watch.runtime())
    page.get_by_role("link", name="Consistent hashing").first.click()
    page.wait_for_url("**/consistent-hashing.html")
    widget = ready(page, "hash-ring-modulo-kill")
    widget.get_by_label("Step back").click()
    expect(says(widget)).to_contain_text("At the start")
    assert page.evaluate("window.sameDocument") is True
    assert len(watch.runtime()) == loaded
    assert len(page.workers) == 1 or sum("search" not in w.url for w in page.workers) == 1
    page.go_back()
    page.wait_for_url("**/index.html")
    # The address changes before the content does.
    page.locator(".site-opening").wait_for()
    ready(page, RING).get_by_label("Step back").click()
    expect(says(page.locator(f"#{RING}"))).to_contain_text("At the start")


def test_off_screen_it_stops(jump: Any) -> None:
    page = jump.page
    jump.get_by_label("To the start").click()
    jump.get_by_label("Speed", exact=True).select_option("0.25")
    jump.get_by_role("button", name="Play").click()
    page.wait_for_timeout(300)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(400)
    clock = jump.locator(".sim-clock").text_content()
    page.wait_for_timeout(900)
    assert jump.locator(".sim-clock").text_content() == clock
    jump.scroll_into_view_if_needed()
    expect(jump.locator(".sim-clock")).not_to_have_text(clock)


def test_starting_python_shifts_nothing(page: Page, address: str) -> None:
    page.add_init_script(
        """window.shifts = [];
        new PerformanceObserver(list => shifts.push(...list.getEntries().map(e => e.value)))
          .observe({type: 'layout-shift', buffered: true});"""
    )
    page.goto(address + "embed/hash_ring.html", wait_until="networkidle")
    ready(page, RING)
    page.wait_for_timeout(300)
    assert sum(page.evaluate("window.shifts")) < 0.01


@pytest.mark.parametrize("width", [320, 360, 768, 1024, 1280, 1600])
def test_no_page_scrolls_sideways(browser: Browser, address: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    for name in ("index.html", CHAPTER, "embed/hash_ring.html", "embed/hash_ring/jump.html"):
        page.goto(address + name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        for widget in page.locator("sim-widget").all():
            box = widget.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    context.close()


def test_reduced_motion_gives_the_same_states_as_steps(browser: Browser, address: str) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(address + "embed/hash_ring/jump.html")
    widget = ready(page, JUMP)
    dot = widget.locator(".hr-dot").first
    assert dot.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
    widget.get_by_label("Step back").click()
    expect(says(widget)).to_contain_text("D joined")
    context.close()


def test_dots_keep_their_element_and_travel(page: Page, address: str) -> None:
    page.goto(address + "embed/hash_ring.html")
    widget = ready(page, RING)
    dot = widget.locator(".hr-dot--moved").first
    name = dot.get_attribute("id")
    page.evaluate("id => { window.dot = document.getElementById(id); }", name)
    before = page.evaluate("getComputedStyle(dot).x")
    widget.get_by_label("Step back").click()
    expect(says(widget)).to_contain_text("At the start")
    page.wait_for_timeout(250)
    midway = page.evaluate("getComputedStyle(dot).x")
    page.wait_for_timeout(1_200)
    after = page.evaluate("getComputedStyle(dot).x")
    assert page.evaluate("id => document.getElementById(id) === dot", name)
    assert len({before, midway, after}) == 3
