"""Figures in pages of other sites: the one line, the frame, its messages, oEmbed, docs/embed.md.

The blog of these tests is another site than ours, and what it has is what docs/embed.md tells its
readers to write.
"""

from __future__ import annotations

import gzip
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

import pysims
from pysims.widget.embeds import WIDTH, embeds, heights, write_embeds
from tests.browser.conftest import (
    PREFIX,
    ROOT,
    SHOTS,
    SITE,
    Watch,
    ask,
    comes_true,
    element_of,
    ready,
    violations,
)
from tests.catalog import PATTERNS
from tests.drivers.heights import height_of, keep_waiting

DOCS = ROOT / "docs"
PLACEHOLDER = "https://survive-chaos.example/"
HEAD = '<!doctype html><meta charset="utf-8"><title>A blog</title><link rel="icon" href="data:,">'
EAR = """<script>
  window.told = [];
  window.heard = [];
  addEventListener("message", (event) => { if (event.data?.source === "survive-chaos") told.push(event.data); });
  for (const kind of ["ready", "event", "resize", "frame"]) {
    document.addEventListener(`sim:${kind}`, (event) => heard.push([kind, event.target.id, event.detail]));
  }
</script>"""  # noqa: E501
# What docs/embed.md says that each message holds, with the type of each field.
FIELDS: dict[str, dict[str, type]] = {
    "ready": {"id": str, "pattern": str},
    "event": {
        "id": str, "pattern": str,
        "at": int, "events": int, "time_ms": int, "kind": str, "says": str,
    },
    "resize": {"height": int},
    "frame": {"id": str},
}  # fmt: skip
SOME = ("hash_ring", "raft", "saga")


def line(address: str, sim: str, **data: str) -> str:
    """The one line, as docs/embed.md has it."""
    script_id = data.pop("id", sim)
    given = "".join(f' data-{name}="{html.escape(value)}"' for name, value in data.items())
    return (
        f'<script async src="{address}assets/embed-here.js" id="{script_id}" '
        f'data-sim="{html.escape(sim)}"{given}></script>'
    )


@pytest.fixture
def post(context: BrowserContext, blog: tuple[Path, str], origin: str) -> Iterator[Watch]:
    """A page of a blog, which may ask its own site and ours, and nobody else."""
    watch = Watch(context.new_page(), (origin, blog[1]))
    watch.start()
    yield watch
    watch.check()


def publish(page: Page, blog: tuple[Path, str], body: str, name: str = "post.html") -> None:
    folder, origin = blog
    (folder / name).write_text(HEAD + EAR + body, "utf-8")
    page.goto(f"{origin}{PREFIX}{name}")


def frame_in(page: Page, selector: str) -> Frame:
    """The document of an iframe, once it is loaded."""
    element = page.wait_for_selector(f"{selector} iframe, iframe{selector}")
    assert element
    frame = element.content_frame()
    assert frame
    frame.wait_for_load_state()
    return frame


def scheme(frame: Frame) -> Any:
    return frame.evaluate("document.documentElement.dataset.mdColorScheme")


def becomes_dark(frame: Frame) -> None:
    comes_true(frame, "document.documentElement.dataset.mdColorScheme === 'slate'")


def fits(page: Page, selector: str) -> None:
    """The frame has the height of what is in it."""
    frame = frame_in(page, selector)
    wanted = frame.evaluate("document.body.offsetHeight")
    found = json.dumps(f"{selector} iframe, iframe{selector}")
    comes_true(page, f"Math.abs(document.querySelector({found}).offsetHeight - {wanted}) < 2")
    assert frame.evaluate("document.documentElement.scrollHeight <= innerHeight + 1")


# --- The one line ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", SOME)
def test_one_line_shows_a_figure_in_its_own_height(
    post: Watch, blog: tuple[Path, str], address: str, pattern: str
) -> None:
    publish(post.page, blog, line(address, pattern))
    frame = frame_in(post.page, f"#{pattern}")
    first = pysims.load_pattern(pattern).scenarios[0].id
    widget = ready(frame, element_of(pattern, first))
    assert ask(widget, {"do": "digest"})["digest"] == pysims.run(pattern, first).digest
    fits(post.page, f"#{pattern}")
    widget.locator("summary", has_text="Trace and description").click()
    fits(post.page, f"#{pattern}")
    assert post.page.locator("script[data-sim]").count() == 0
    # It leaves no name behind, and names the frame.
    assert post.page.evaluate("Object.keys(window).filter((name) => /sim|chaos/i.test(name))") == []
    assert post.page.locator("iframe").get_attribute("title")


def test_nothing_is_loaded_until_the_reader_comes_near(
    post: Watch, blog: tuple[Path, str], address: str, origin: str
) -> None:
    far = '<div style="height: 5000px"></div>'
    publish(post.page, blog, far + line(address, "raft", scenario="split-vote") + far)
    box = post.page.locator("div#raft")
    expect(box).to_be_attached()
    post.page.wait_for_timeout(1_000)
    assert [url for url in post.requests if url.startswith(origin)] == [
        f"{address}assets/embed-here.js"
    ]
    assert box.evaluate("box => box.offsetHeight") >= 1000
    post.page.evaluate("scrollTo(0, 3000)")
    post.page.wait_for_timeout(500)
    assert post.page.locator("iframe").count() == 0
    post.page.evaluate("scrollTo(0, 4200)")
    frame_in(post.page, "#raft")
    assert any(url.startswith(f"{address}embed/raft/split-vote.html") for url in post.requests)


def test_two_on_one_page_and_a_run_of_the_readers_own(
    post: Watch, blog: tuple[Path, str], address: str
) -> None:
    run = "v=1&run=hash_ring/jump&seed=77&at=2000:1"
    first = line(address, "hash_ring", scenario="jump", run=run, title='Jump "hash"')
    second = line(address, "hash_ring", scenario="jump", id="second")
    publish(post.page, blog, first + "<p>Between.</p>" + second)
    changed = ready(frame_in(post.page, "#hash_ring"), "hash-ring-jump")
    assert run in ask(changed, {"do": "link"})["link"]
    post.page.locator("#second").scroll_into_view_if_needed()
    told = ready(frame_in(post.page, "#second"), "hash-ring-jump")
    assert ask(told, {"do": "digest"})["digest"] == pysims.run("hash_ring", "jump").digest
    assert post.page.locator("#hash_ring iframe").get_attribute("title") == 'Jump "hash"'
    fits(post.page, "#hash_ring")
    fits(post.page, "#second")


def test_lines_that_come_late_or_as_html_are_served(
    post: Watch, blog: tuple[Path, str], address: str
) -> None:
    publish(post.page, blog, '<main></main><div id="later"></div>')
    late = line(address, "raft")
    post.page.evaluate(
        """([address, late]) => {
          document.querySelector("main").innerHTML = late;
          const script = document.createElement("script");
          Object.assign(script, {src: `${address}assets/embed-here.js`, id: "saga"});
          Object.assign(script.dataset, {sim: "saga", theme: "dark"});
          document.querySelector("#later").append(script);
        }""",
        [address, late],
    )
    frame_in(post.page, "#raft")
    post.page.evaluate("document.querySelector('#saga').scrollIntoView()")
    assert scheme(frame_in(post.page, "#saga")) == "slate"


def test_a_page_that_is_a_sandbox_itself(post: Watch, blog: tuple[Path, str], address: str) -> None:
    folder, _ = blog
    inner = HEAD + EAR + line(address, "hash_ring", scenario="jump", theme="host")
    (folder / "inner.html").write_text(inner, "utf-8")
    outer = '<iframe id="outer" sandbox="allow-scripts" src="inner.html" title="A post" '
    publish(post.page, blog, outer + 'style="width: 100%; height: 1500px"></iframe>')
    middle = frame_in(post.page, "#outer")
    assert middle.evaluate("origin") == "null"
    element = middle.wait_for_selector("#hash_ring iframe")
    frame = element.content_frame() if element else None
    assert frame
    ready(frame, "hash-ring-jump")
    assert frame.evaluate("origin") == "null"
    wanted = frame.evaluate("document.body.offsetHeight")
    comes_true(middle, f"Math.abs(document.querySelector('iframe').offsetHeight - {wanted}) < 2")
    middle.evaluate("document.documentElement.classList.add('dark')")
    becomes_dark(frame)


def test_a_page_on_disk_beside_the_site(context: BrowserContext, disk: Path) -> None:
    watch = Watch(context.new_page(), (disk.as_uri(),))
    watch.start()
    page = disk / "slides.html"
    page.write_text(HEAD + EAR + line("./", "hash_ring", scenario="jump"), "utf-8")
    watch.page.goto(page.as_uri())
    ready(frame_in(watch.page, "#hash_ring"), "hash-ring-jump")
    fits(watch.page, "#hash_ring")
    assert watch.page.evaluate("heard.some(([kind]) => kind === 'ready')")
    watch.check()


# --- Light and dark -------------------------------------------------------------------------------

TO_DARK = {
    "Material": "document.body.dataset.mdColorScheme = 'slate'",
    "Bootstrap": "document.documentElement.dataset.bsTheme = 'dark'",
    "data-theme": "document.documentElement.dataset.theme = 'dark'",
    "a class": "document.documentElement.className = 'page dark'",
    "color-scheme": "document.documentElement.style.colorScheme = 'dark'",
    "a background": "document.body.style.backgroundColor = '#101418'",
    "a fading background": """document.body.style.transition = 'background-color 0.3s';
        document.body.offsetHeight; document.body.style.backgroundColor = 'rgb(10 10 10)'""",
}


@pytest.mark.parametrize("way", TO_DARK)
def test_the_figure_follows_the_page_when_asked(
    post: Watch, blog: tuple[Path, str], address: str, way: str
) -> None:
    asked = line(address, "hash_ring", scenario="jump", theme="host")
    publish(post.page, blog, "<style>body { background: white }</style>" + asked)
    frame = frame_in(post.page, "#hash_ring")
    assert scheme(frame) == "default"
    post.page.evaluate(TO_DARK[way])
    becomes_dark(frame)


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("<html data-theme=dark>", "slate"),
        ("<html data-theme=light><body style='background: black'>", "default"),
        ("<html style='color-scheme: light dark'>", "slate"),
        ("<html style='color-scheme: light'><body style='background: black'>", "default"),
        ("<html><meta name=color-scheme content=dark>", "slate"),
        ("<html><body style='background: rgb(255 255 255 / 0)'>", "default"),
        ("<html style='background: color(srgb 0.1 0.1 0.1)'><body>", "slate"),
        ("<html>", "default"),
    ],
)
def test_a_page_is_known_as_dark_from_the_start(
    browser: Browser, blog: tuple[Path, str], address: str, start: str, found: str
) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    asked = line(address, "hash_ring", scenario="jump", theme="host")
    (blog[0] / "post.html").write_text(f"<!doctype html>{start}<title>A</title>{asked}", "utf-8")
    page.goto(f"{blog[1]}{PREFIX}post.html")
    assert scheme(frame_in(page, "#hash_ring")) == found
    context.close()


def test_a_system_that_turns_dark_reaches_auto_and_a_page_that_follows_it(
    post: Watch, blog: tuple[Path, str], address: str
) -> None:
    lines = [line(address, "raft", theme=theme, id=theme) for theme in ("auto", "host", "light")]
    follows = "<style>:root { color-scheme: light dark }</style>"
    publish(post.page, blog, follows + "".join(lines))
    frames = []
    for theme in ("auto", "host", "light"):
        post.page.evaluate("id => document.getElementById(id).scrollIntoView()", theme)
        frames.append(frame_in(post.page, f"#{theme}"))
    assert [scheme(frame) for frame in frames] == ["default"] * 3
    post.page.emulate_media(color_scheme="dark")
    assert scheme(frames[2]) == "default"
    # A frame that nobody sees need not notice, so each is looked at.
    for theme, frame in zip(("auto", "host"), frames, strict=False):
        post.page.evaluate("id => document.getElementById(id).scrollIntoView()", theme)
        becomes_dark(frame)


# --- What is wrong or hostile ---------------------------------------------------------------------

MARKUP = '"><img src=x onerror="window.injected = 1"><b x="'
WRONG = {
    "sim": ({"sim": MARKUP}, "data-sim must be the name of a simulation"),
    "no sim": ({"sim": ""}, "data-sim must be the name of a simulation"),
    "a way out": ({"sim": "../index"}, "data-sim must be the name of a simulation"),
    "an address": ({"sim": "https://blog.example/x"}, "data-sim must be"),
    "scenario": ({"sim": "raft", "scenario": MARKUP}, "data-scenario must be the name"),
    "theme": ({"sim": "raft", "theme": MARKUP}, "data-theme must be auto, light, dark, host, got"),
    "height": ({"sim": "raft", "height": "1e9"}, "data-height must be a number of pixels"),
    "run": ({"sim": "raft", "run": "javascript:alert(1)"}, "data-run must be what stands after"),
    "nobody": ({"sim": "nobody"}, "there is none at "),
    "no such scenario": ({"sim": "raft", "scenario": "no-such"}, "/embed/raft/no-such.html"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_value_gets_a_sentence_and_injects_nothing(
    post: Watch, blog: tuple[Path, str], address: str, kind: str
) -> None:
    values, says = WRONG[kind]
    post.expected = lambda text: "cannot be shown" in text or "404" in text
    publish(post.page, blog, "<p>Before.</p>" + line(address, id="one", **values))
    box = post.page.locator("div#one")
    expect(box).to_contain_text("This figure cannot be shown: ")
    expect(box).to_contain_text(says)
    assert box.locator("*").count() == 0
    assert post.page.evaluate("window.injected") is None


def test_markup_in_a_title_or_a_run_stays_text(
    post: Watch, blog: tuple[Path, str], address: str
) -> None:
    run = f"v=1&run=hash_ring/jump&x={MARKUP}"
    publish(post.page, blog, line(address, "hash_ring", scenario="jump", title=MARKUP, run=run))
    frame = frame_in(post.page, "#hash_ring")
    widget = ready(frame, "hash-ring-jump")
    expect(widget.locator(".sim-message")).to_contain_text("This link cannot be followed")
    assert post.page.locator("iframe").get_attribute("title") == MARKUP
    for place in (post.page.main_frame, frame):
        assert place.evaluate("window.injected") is None
        assert place.locator("img").count() == 0


def test_strangers_are_heard_in_neither_direction(
    post: Watch, blog: tuple[Path, str], address: str
) -> None:
    post.expected = lambda text: "asks for what there is not" in text
    publish(
        post.page,
        blog,
        line(address, "hash_ring", scenario="jump") + '<iframe id="other"></iframe>',
    )
    frame = frame_in(post.page, "#hash_ring")
    widget = ready(frame, "hash-ring-jump")
    fits(post.page, "#hash_ring")
    height = post.page.locator("#hash_ring iframe").evaluate("frame => frame.offsetHeight")
    clock = widget.locator(".sim-clock").inner_text()
    # To the page: from itself, and from another frame of it.
    resize = {"source": "survive-chaos", "type": "resize", "height": 99}
    post.page.evaluate("message => postMessage(message, '*')", resize)
    post.page.evaluate(
        """message => {
          const script = other.contentDocument.createElement("script");
          script.textContent = `parent.postMessage(${JSON.stringify(message)}, "*")`;
          other.contentDocument.body.append(script);
        }""",
        resize,
    )
    # To the frame: from another frame, from the frame itself, and nonsense from the page.
    back = {"source": "survive-chaos", "type": "do", "do": "back"}
    other = frame_in(post.page, "#other")
    to_it = "message => parent.document.querySelector('#hash_ring iframe').contentWindow"
    other.evaluate(f"{to_it}.postMessage(message, '*')", back)
    frame.evaluate("message => postMessage(message, '*')", back)
    nonsense: tuple[Any, ...] = (
        {**back, "source": "somebody"},
        {**back, "do": "scenario"},
        {**back, "do": ["back"]},
        {**back, "type": "theme", "theme": MARKUP},
        None,
        "back",
    )
    for message in nonsense:
        post.page.evaluate(f"{to_it}.postMessage(message, '*')", message)
    # Heights that no figure has.
    for wrong in (-5, 10**9, "9px; background: url(x)", None):
        frame.evaluate("m => parent.postMessage(m, '*')", {**resize, "height": wrong})
    post.page.wait_for_timeout(800)
    assert post.page.locator("#hash_ring iframe").evaluate("f => f.offsetHeight") == height
    assert widget.locator(".sim-clock").inner_text() == clock
    # Whoever may, is heard.
    post.page.evaluate(f"{to_it}.postMessage(message, '*')", back)
    expect(widget.locator(".sim-clock")).not_to_have_text(clock)


# --- Messages -------------------------------------------------------------------------------------


def check_fields(message: dict[str, Any]) -> None:
    fields = FIELDS[message["type"]]
    assert {name: type(message[name]) for name in fields} == fields
    assert set(message) == {"source", "type", *fields}


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_the_frame_tells_what_is_documented(
    post: Watch, blog: tuple[Path, str], address: str, pattern: Any
) -> None:
    src = f"{address}embed/{pattern.id}.html"
    publish(
        post.page, blog, f'<iframe id="it" src="{src}" style="width: 100%" title="It"></iframe>'
    )
    frame = frame_in(post.page, "#it")
    widget = ready(frame, element_of(pattern.id, pattern.scenarios[0].id))
    for what in ("reset", "back", "step"):
        message = {"source": "survive-chaos", "type": "do", "do": what}
        post.page.evaluate("message => frames[0].postMessage(message, '*')", message)
    comes_true(post.page, "told.some(({type}) => type === 'event')")
    told = post.page.evaluate("told")
    assert {message["type"] for message in told} == set(FIELDS)
    for message in told:
        check_fields(message)
    last = [message for message in told if message["type"] == "event"][-1]
    assert last["pattern"] == pattern.id
    assert 0 <= last["at"] <= last["events"]
    assert widget.get_attribute("id") == last["id"]


def test_the_remote_control_and_the_events_of_the_one_line(
    post: Watch, blog: tuple[Path, str], address: str
) -> None:
    publish(post.page, blog, line(address, "raft", scenario="split-vote"))
    widget = ready(frame_in(post.page, "#raft"), "raft-split-vote")

    def do(what: str) -> None:
        post.page.evaluate(
            "([box, detail]) => window[box].dispatchEvent(new CustomEvent('sim:do', {detail}))",
            ["raft", what],
        )

    clock = widget.locator(".sim-clock")
    expect(clock).to_contain_text("event 29 of 161")
    do("step")
    expect(clock).to_contain_text("event 30 of 161")
    comes_true(post.page, "heard.some(([kind]) => kind === 'event')")
    kind, target, detail = post.page.evaluate("heard.filter(([kind]) => kind === 'event').at(-1)")
    assert (kind, target, detail["at"], detail["events"]) == ("event", "raft", 30, 161)
    assert detail["says"] == widget.locator(".sim-says").inner_text()
    assert set(detail) == set(FIELDS["event"])
    do("back")
    expect(clock).to_contain_text("event 29 of 161")
    do("play")
    expect(widget.get_by_role("button", name="Pause")).to_be_visible()
    do("pause")
    expect(widget.get_by_role("button", name="Play")).to_be_visible()
    do("reset")
    expect(clock).to_contain_text("event 29 of 161")
    assert {kind for kind, _, _ in post.page.evaluate("heard")} == set(FIELDS)


# --- What the Share panel gives -------------------------------------------------------------------


@pytest.mark.parametrize("pattern", SOME)
def test_the_embed_script_shows_the_run_that_was_on_show(
    page: Page, post: Watch, blog: tuple[Path, str], address: str, pattern: str
) -> None:
    name = element_of(pattern, pysims.load_pattern(pattern).scenarios[0].id)
    page.goto(f"{address}embed/{pattern}.html")
    widget = ready(page, name)
    ask(widget, {"do": "seed", "value": "5"})
    digest = ask(widget, {"do": "digest"})["digest"]
    widget.locator("summary", has_text="Share this run").click()
    widget.get_by_role("button", name="Copy embed script").click()
    code = widget.locator(".sim-shared textarea").input_value()
    assert "\n" not in code
    publish(post.page, blog, code)
    element = post.page.wait_for_selector("iframe")
    frame = element.content_frame() if element else None
    assert frame
    assert ask(ready(frame, name), {"do": "digest"})["digest"] == digest


# --- oEmbed and WordPress -------------------------------------------------------------------------


def test_an_oembed_file_is_valid_and_its_html_shows_the_figure(
    tmp_path: Path, post: Watch, blog: tuple[Path, str], address: str
) -> None:
    for chapter in DOCS.glob("*.md"):
        (tmp_path / chapter.name).write_bytes(chapter.read_bytes())
    folder = tmp_path / "embed"
    folder.mkdir()
    written = write_embeds(folder, address)
    for markdown in written:
        answer = json.loads(markdown.with_suffix(".json").read_text("utf-8"))
        assert (answer["version"], answer["type"]) == ("1.0", "rich")
        assert isinstance(answer["width"], int)
        assert isinstance(answer["height"], int)
        assert {"thumbnail_url", "thumbnail_width", "thumbnail_height"} <= set(answer)
        assert (SITE / answer["thumbnail_url"].removeprefix(address)).is_file()
        (src,) = re.findall(r'src="([^"]+)"', answer["html"])
        assert (SITE / html.unescape(src).removeprefix(address)).is_file()
        link = f"{address}embed/{markdown.relative_to(folder).with_suffix('.json')}"
        assert f'oembed: "{link}"' in markdown.read_text("utf-8")
    answer = json.loads((folder / "hash_ring" / "jump.json").read_text("utf-8"))
    publish(post.page, blog, answer["html"])
    element = post.page.wait_for_selector("iframe")
    frame = element.content_frame() if element else None
    assert frame
    ready(frame, "hash-ring-jump")
    box = post.page.locator("iframe").bounding_box()
    assert box
    assert (box["width"], box["height"]) == (answer["width"], answer["height"])
    # Without an address there is neither.
    write_embeds(folder)
    assert list(folder.rglob("*.json")) == []
    assert "oembed" not in (folder / "hash_ring" / "jump.md").read_text("utf-8")


def test_the_built_pages_link_to_oembed_files_exactly_where_there_are_some() -> None:
    for page in SITE.glob("embed/**/*.html"):
        link = re.search(
            r'<link rel="alternate" type="application/json\+oembed" href="([^"]+)"',
            page.read_text("utf-8"),
        )
        file = page.with_suffix(".json")
        assert bool(link) == file.is_file()
        if link:
            assert link[1].endswith(f"/embed/{file.relative_to(SITE / 'embed')}")


def test_heights_are_as_measured(browser: Browser, address: str) -> None:
    names = {embed.name for embed in embeds(DOCS)}
    assert names == set(heights()), "python -m tests.drivers.heights measures them"
    page = browser.new_page(viewport={"width": WIDTH, "height": 900})
    keep_waiting(page)
    for name in ("hash_ring/jump", "raft", "saga"):
        found = height_of(page, f"{address}embed/{name}.html")
        assert abs(found - heights()[name]) <= 40, "python -m tests.drivers.heights measures them"
    page.close()


def test_wordpress_gets_its_height_and_its_secret_is_no_run(
    post: Watch, blog: tuple[Path, str], address: str
) -> None:
    """What WordPress makes of the iframe, and what its own script does with messages."""
    publish(
        post.page,
        blog,
        f"""<iframe id="it" class="wp-embedded-content" sandbox="allow-scripts" data-secret="a1B2"
          src="{address}embed/hash_ring/jump.html#?secret=a1B2" title="It" width="640" height="300">
        </iframe><script>
          addEventListener("message", ({{data, source}}) => {{
            const frame = document.querySelector(`iframe[data-secret="${{data.secret}}"]`);
            if (frame?.contentWindow !== source || data.message !== "height") return;
            frame.height = Math.min(1000, Math.max(200, parseInt(data.value, 10)));
          }});
        </script>""",
    )
    frame = frame_in(post.page, "#it")
    widget = ready(frame, "hash-ring-jump")
    expect(widget.locator(".sim-message")).to_be_empty()
    expect(post.page.locator("iframe")).to_have_attribute("height", "1000")
    assert frame.evaluate("location.hash") == ""
    # A figure that has been given more keeps it.
    post.page.locator("iframe").evaluate("frame => { frame.height = 1700; }")
    widget.locator("summary", has_text="Trace and description").click()
    post.page.wait_for_timeout(500)
    expect(post.page.locator("iframe")).to_have_attribute("height", "1700")


# --- The page on it -------------------------------------------------------------------------------


def snippets(page: Page) -> dict[str, str]:
    """The blocks of code of docs/embed.md as a reader copies them, by their language and number."""
    found: dict[str, str] = {}
    for block in page.locator(".md-content .highlight").all():
        language = (block.get_attribute("class") or "").split("language-")[1].split()[0]
        number = sum(name.startswith(language) for name in found) + 1
        found[f"{language} {number}"] = block.locator("code").inner_text()
    return found


def live(page: Page) -> None:
    """Both living examples of the page come to life, in their own height."""
    # The line's element has the script's name, and is there once the script has run.
    page.locator("div#live-script").wait_for()
    for selector, widget in (("#live-script", "raft-split-vote"), ("#live-frame", None)):
        page.locator(selector).scroll_into_view_if_needed()
        frame = frame_in(page, selector)
        name = widget or element_of("saga", pysims.load_pattern("saga").scenarios[0].id)
        ready(frame, name)
        fits(page, selector)


def test_the_pages_own_examples_live(page: Page, address: str) -> None:
    page.goto(f"{address}embed.html")
    live(page)
    assert PLACEHOLDER not in page.locator(".md-content").inner_text()
    # The one line follows the site's own switch of colors.
    frame = frame_in(page, "#live-script")
    page.evaluate("document.body.dataset.mdColorScheme = 'slate'")
    becomes_dark(frame)


def test_the_pages_own_examples_live_from_disk(context: BrowserContext, disk: Path) -> None:
    watch = Watch(context.new_page(), (disk.as_uri(),))
    watch.start()
    watch.page.goto((disk / "embed.html").as_uri())
    live(watch.page)
    code = snippets(watch.page)["html 2"]
    assert f'src="{disk.as_uri().replace("&", "%26")}/embed/saga.html' in code
    watch.check()


def test_the_page_lives_after_instant_navigation(page: Page, address: str) -> None:
    page.goto(f"{address}offline.html")
    page.evaluate("window.stayed = true")
    page.locator(".md-footer__link--next").click()
    page.wait_for_url("**/embed.html")
    live(page)
    assert page.evaluate("window.stayed")
    assert PLACEHOLDER not in page.locator(".md-content").inner_text()


def test_without_scripts_the_page_names_the_placeholder() -> None:
    page = (SITE / "embed.html").read_text("utf-8")
    assert page.count("survive-chaos.example") >= 6


@pytest.fixture
def code(context: BrowserContext, address: str) -> dict[str, str]:
    page = context.new_page()
    page.goto(f"{address}embed.html")
    found = snippets(page)
    page.close()
    return found


def test_the_snippets_work_as_they_stand(
    post: Watch, blog: tuple[Path, str], code: dict[str, str]
) -> None:
    page = post.page
    publish(page, blog, code["html 1"])
    ready(page.frame_locator("iframe"), "raft-split-vote")
    publish(page, blog, code["html 2"] + code["html 3"], "two.html")
    comes_true(page, "document.querySelector('iframe').style.height !== '1400px'")
    page.locator("iframe").evaluate("frame => { frame.id = 'it'; }")
    fits(page, "#it")
    assert scheme(frame_in(page, "#it")) == "default"
    publish(page, blog, code["html 4"], "three.html")
    frame = page.frame_locator("iframe")
    ready(frame, "hash-ring-jump").get_by_label("Step back").click()
    expect(page.locator("#sentence")).to_contain_text("D joined")
    publish(page, blog, code["html 5"], "four.html")
    frame = page.frame_locator("iframe")
    ready(frame, "hash-ring-jump").get_by_label("Step back").click()
    expect(page.locator("#heard")).to_contain_text("D joined")
    publish(page, blog, code["html 6"], "five.html")
    widget = ready(page.frame_locator("#lesson"), "raft-leader-crash")
    clock = widget.locator(".sim-of")
    event = clock.inner_text()
    # By key: a click right after scrolling beside a frame of another site may miss.
    page.get_by_role("button", name="Back").press("Enter")
    expect(clock).not_to_have_text(event)
    page.get_by_role("button", name="Next").press("Enter")
    expect(clock).to_have_text(event)


def test_the_snippet_for_the_one_lines_remote_control(
    post: Watch, blog: tuple[Path, str], address: str, code: dict[str, str]
) -> None:
    publish(post.page, blog, line(address, "raft", scenario="leader-crash", id="lesson"))
    widget = ready(frame_in(post.page, "#lesson"), "raft-leader-crash")
    clock = widget.locator(".sim-clock").inner_text()
    post.page.evaluate(code["js 1"])
    expect(widget.locator(".sim-clock")).not_to_have_text(clock)


def test_the_snippets_for_wordpress_and_for_a_notebook_name_pages_that_are_there(
    code: dict[str, str], address: str
) -> None:
    for block in (code["text 1"], code["python 1"]):
        (found,) = re.findall(rf"{re.escape(address)}([\w./-]+\.html)", block)
        assert (SITE / found).is_file()
    compile(code["python 1"], "a cell", "exec")


def test_the_table_of_messages_is_what_is_told() -> None:
    text = (DOCS / "embed.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ((?:`\w+`(?:, )?)+)", text, re.MULTILINE)
    documented = {kind: set(re.findall(r"`(\w+)`", fields)) for kind, fields in rows}
    assert documented == {kind: set(fields) for kind, fields in FIELDS.items()}


def test_the_sizes_that_the_page_names() -> None:
    script = (SITE / "assets" / "embed-here.js").read_bytes()
    assert len(gzip.compress(script, 9)) < 3_000
    # What is not compressed as it lies there, a server compresses; the rest is for disks.
    files = [path for path in (SITE / "assets" / "runtime").iterdir() if "b64" not in path.name]
    shared = sum(
        path.stat().st_size if path.suffix == ".bin" else len(gzip.compress(path.read_bytes(), 9))
        for path in files
        if not path.name.startswith(("editor", *(pattern.id for pattern in PATTERNS)))
    )
    assert 5.5e6 < shared < 6.4e6


@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    browser: Browser, address: str, colors: Any, width: int
) -> None:
    context = browser.new_context(color_scheme=colors, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(urljoin(address, "embed.html"))
    live(page)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for selector in ("#live-script", "#live-frame"):
        frame = frame_in(page, selector)
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=SHOTS / f"embed-page-{width}-{colors}.png", full_page=True)
    context.close()
