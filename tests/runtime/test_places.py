"""The runtime starts wherever a page can be: on a server, from disk, in a frame of another site."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browsers import BrowserNotFoundError, all_browsers_required
from tests.drivers import Visit, open_in_chromium, open_in_firefox, open_in_webkit
from tests.drivers.chromium import NO_THIRD_PARTY_STORAGE
from tests.drivers.server import StaticServer
from tests.runtime.conftest import Site

pytestmark = pytest.mark.browser

DRAW = """
  const runtime = await simRuntime.start();
  return await ask(runtime, { do: "draw", with: ["<a>", "b"] });
"""
DRAWN = "<svg><circle><title>&lt;a&gt;</title></circle><circle><title>b</title></circle></svg>"

# A page from disk may talk to nobody; the address is where this machine would hear of it.
OWN = ("data:", "blob:", "file:", "http://127.0.0.1:", "http://site.test:", "http://blog.example:")

OTHERS = {"Firefox": open_in_firefox, "WebKit": open_in_webkit}


def drawn_in(visit: Visit) -> Any:
    """The value of a visit that nobody complained about and that asked nobody else."""
    assert "error" not in visit.value, visit.value["error"]
    assert visit.complaints == []
    assert [url for url in visit.requests if not url.startswith(OWN)] == []
    return visit.value["value"]


def test_below_a_path_of_a_plain_server(site: Site, server: StaticServer) -> None:
    visit = open_in_chromium(server.url(site.page(DRAW)), "window.done")
    assert drawn_in(visit) == DRAWN
    # The plain files were enough: the ones in base64, a third larger, were left alone.
    assert not [name for name in server.requested if name.endswith(".b64.js")]


def test_no_file_is_sent_twice(site: Site, server: StaticServer) -> None:
    open_in_chromium(server.url(site.page(DRAW)), "window.done")
    assert len(server.requested) == len(set(server.requested))


def test_under_a_strict_content_security_policy(site: Site, server: StaticServer) -> None:
    policy = (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:; "
        "connect-src 'self' data:; img-src data:"
    )
    visit = open_in_chromium(server.url(site.page(DRAW, policy)), "window.done")
    assert drawn_in(visit) == DRAWN


def test_from_disk(site: Site) -> None:
    page = site.folder / site.page(DRAW)
    assert drawn_in(open_in_chromium(page.as_uri(), "window.done")) == DRAWN


PREMISE_AND_DRAW = """
  let storage = "allowed";
  try {
    await new Promise((resolve, reject) => {
      const request = indexedDB.open("premise");
      request.onsuccess = resolve;
      request.onerror = () => reject(request.error);
    });
  } catch (error) {
    storage = "denied";
  }
  const runtime = await simRuntime.start();
  return { storage, drawn: await ask(runtime, { do: "draw", with: ["<a>", "b"] }) };
"""


@pytest.mark.parametrize("attributes", ["", 'sandbox="allow-scripts"'])
def test_in_a_frame_of_another_site_without_storage(
    site: Site, server: StaticServer, attributes: str
) -> None:
    inner = server.url(site.page(PREMISE_AND_DRAW), "site.test")
    outer = server.url(site.frame(inner, attributes), "blog.example")
    visit = open_in_chromium(outer, "window.done", preferences=NO_THIRD_PARTY_STORAGE)
    assert drawn_in(visit) == {"storage": "denied", "drawn": DRAWN}


def test_from_another_origin_files_are_fetched_if_allowed_and_else_come_by_script(
    site: Site, server: StaticServer
) -> None:
    text = (site.folder / site.page(DRAW)).read_text(encoding="utf-8")
    far = text.replace('src="runtime/', f'src="{server.url("runtime/", "blog.example")}')
    (site.folder / "elsewhere.html").write_text(far, encoding="utf-8")
    server.headers["Access-Control-Allow-Origin"] = "*"
    visit = open_in_chromium(server.url("elsewhere.html", "site.test"), "window.done")
    assert drawn_in(visit) == DRAWN
    assert not [name for name in server.requested if name.endswith(".b64.js")]
    del server.headers["Access-Control-Allow-Origin"]
    visit = open_in_chromium(server.url("elsewhere.html", "site.test"), "window.done")
    assert visit.value == {"value": DRAWN}
    assert [name for name in server.requested if name.endswith(".b64.js")]


HEAP = """
  const runtime = await simRuntime.start({ digestHeap: true });
  return [await runtime.heapDigest(), __simManifest.heapSha256, DRAWN];
""".replace("DRAWN", 'await ask(runtime, { do: "draw", with: ["<a>", "b"] })')


def test_the_restored_heap_is_the_photographed_one(site: Site, server: StaticServer) -> None:
    restored, photographed, drawn = drawn_in(
        open_in_chromium(server.url(site.page(HEAP)), "window.done")
    )
    assert re.fullmatch("[0-9a-f]{64}", photographed)
    assert restored == photographed
    assert drawn == DRAWN


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("from_disk", [False, True], ids=["http", "disk"])
def test_in_other_browsers(site: Site, server: StaticServer, name: str, from_disk: bool) -> None:
    """The heap is compared as well: pages are stored only where they differ from a fresh heap."""
    page = site.page(HEAP)
    url = (site.folder / page).as_uri() if from_disk else server.url(page)
    done = unless_missing(OTHERS[name], url)
    assert "error" not in done, done["error"]
    restored, photographed, drawn = done["value"]
    assert (restored, drawn) == (photographed, DRAWN)


def unless_missing(driver: Callable[[str, str], Any], url: str) -> Any:
    """Opens a page with a driver; skips where the browser is missing and need not be there."""
    try:
        return driver(url, "window.done")
    except BrowserNotFoundError as error:
        if all_browsers_required():
            raise
        pytest.skip(str(error))


def test_the_manifest_can_be_had_alone(built: Path) -> None:
    text = (built / "manifest.js").read_text(encoding="utf-8")
    manifest = json.loads(text.removeprefix("globalThis.__simManifest=").removesuffix(";\n"))
    assert (built / "sim-runtime.js").read_text(encoding="utf-8").startswith(text)
    for file in manifest["files"].values():
        assert (built / file["path"]).stat().st_size == file["bytes"]
