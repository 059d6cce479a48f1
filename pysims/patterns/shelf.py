"""Patterns that wait as compiled code until somebody asks for them.

The browser's Python starts from a picture of a heap, in which every reader downloads every object.
No pattern is in it: the build writes the compiled code of each into a file of its own, which a page
downloads when it first shows the pattern and puts here, from where the pattern is imported. In
CPython the shelf is empty and patterns come from their folders.
"""

from __future__ import annotations

import marshal
import sys
import zlib
from binascii import a2b_base64
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

PATTERNS = __name__.rpartition(".")[0]


class Shelf(Loader, MetaPathFinder):
    """A finder and loader (as `sys.meta_path` wants them) of patterns that are compiled already."""

    def __init__(self) -> None:
        self._modules: dict[str, CodeType] = {}
        self._packages: set[str] = set()
        self._scenes: dict[str, CodeType] = {}

    def ids(self) -> list[str]:
        """The patterns that lie here, imported or not."""
        return list(self._scenes)

    def put(self, pattern_id: str, packed: bytes) -> None:
        """Take in a pattern, as `pack` packed it; one that is here already stays as it is."""
        if pattern_id in self._scenes:
            return
        modules, scene = unpacked(packed)
        # What patterns share comes with each of them, and is imported once.
        new = {name: code for name, code in modules.items() if name not in sys.modules}
        self._modules.update(new)
        self._packages.update(name.rpartition(".")[0] for name in modules)
        self._scenes[pattern_id] = scene
        if self not in sys.meta_path:
            sys.meta_path.append(self)

    def scene(self, pattern_id: str) -> CodeType | None:
        """The compiled template of a pattern's scene, if it lies here."""
        return self._scenes.get(pattern_id)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module comes from, if it comes from here."""
        del path, target  # Names are all that this finder looks at.
        if fullname not in self._modules:
            return None
        return ModuleSpec(fullname, self, is_package=fullname in self._packages)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code; after that the code is needed no more."""
        exec(self._modules.pop(module.__name__), vars(module))  # noqa: S102  # compiled by our build


SHELF = Shelf()


def pack(modules: dict[str, CodeType], scene: CodeType) -> bytes:
    """One pattern as bytes: its modules' code by name, and its scene's."""
    return marshal.dumps((modules, scene))


def unpacked(packed: bytes) -> tuple[dict[str, CodeType], CodeType]:
    """What `pack` was given."""
    modules, scene = marshal.loads(packed)  # noqa: S302  # our own build wrote it
    return modules, scene


def unwrapped(text: str) -> bytes:
    """What `pack` gave, out of the text in which it travels: gzip, in base64."""
    return zlib.decompress(a2b_base64(text), wbits=zlib.MAX_WBITS | 16)
