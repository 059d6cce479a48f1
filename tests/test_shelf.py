"""The shelf: patterns that are imported from compiled code, as the browser's Python does."""

from __future__ import annotations

import base64
import gzip
import importlib
import sys
import zlib
from collections.abc import Iterator

import pytest

from pysims.patterns.shelf import PATTERNS, Shelf, pack, unwrapped

TOY = f"{PATTERNS}.toy"
SOURCES = {
    TOY: "from .model import VALUE\n",
    f"{TOY}.model": "from ...kernel import Number\nVALUE = Number('Toys', 1, 3)\n",
}


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf()
    modules = {name: compile(text, name, "exec") for name, text in SOURCES.items()}
    scene = compile("scene = 1", "toy/scene", "exec")
    packed = pack(modules, scene)
    shelf.put("toy", unwrapped(base64.b64encode(gzip.compress(packed)).decode()))
    yield shelf
    sys.meta_path.remove(shelf)
    for name in [name for name in sys.modules if name == TOY or name.startswith(f"{TOY}.")]:
        del sys.modules[name]


def test_a_pattern_is_imported_from_its_code_when_it_is_asked_for(shelf: Shelf) -> None:
    assert shelf.ids() == ["toy"]
    assert TOY not in sys.modules
    toy = importlib.import_module(TOY)
    assert toy.VALUE.label == "Toys"
    assert sys.modules[f"{TOY}.model"].__spec__.loader is shelf  # type: ignore[union-attr]


def test_its_scene_is_there_and_that_of_others_is_not(shelf: Shelf) -> None:
    found: dict[str, int] = {}
    code = shelf.scene("toy")
    assert code is not None
    exec(code, found)  # noqa: S102  # compiled above
    assert found["scene"] == 1
    assert shelf.scene("hash_ring") is None


def test_it_finds_nothing_else(shelf: Shelf) -> None:
    for name in ("toy", "json", f"{PATTERNS}.hash_ring", f"{TOY}.view", f"x.{TOY}"):
        assert shelf.find_spec(name, None) is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{TOY}.view")


def test_what_is_put_twice_is_found_once(shelf: Shelf) -> None:
    again = pack({TOY: compile("VALUE = 7", TOY, "exec")}, compile("", "toy/scene", "exec"))
    shelf.put("toy", again)
    assert sys.meta_path.count(shelf) == 1
    assert importlib.import_module(TOY).VALUE.label == "Toys"


def test_what_two_patterns_share_is_imported_once(shelf: Shelf) -> None:
    shared = {f"{TOY}s": "", f"{TOY}s.part": "MADE = []\n"}
    code = {name: compile(text, name, "exec") for name, text in shared.items()}
    scene = compile("", "scene", "exec")
    for name in ("one", "two"):
        user = f"{PATTERNS}.{name}"
        own = {user: compile("from .toys.part import MADE", user, "exec")}
        shelf.put(name, pack(own | code, scene))
        importlib.import_module(user)
    one, two = (sys.modules[f"{PATTERNS}.{name}"] for name in ("one", "two"))
    assert one.MADE is two.MADE
    for name in [f"{PATTERNS}.one", f"{PATTERNS}.two", *shared]:
        del sys.modules[name]


def test_what_arrives_damaged_is_refused() -> None:
    text = base64.b64encode(gzip.compress(b"code of a pattern")).decode()
    assert unwrapped(text) == b"code of a pattern"
    for bad in (text[:-8], text[:20] + "AAAA" + text[24:], ""):
        with pytest.raises((zlib.error, ValueError)):
            unwrapped(bad)
