"""Runs inside Pyodide while the site is built: which modules are needed, and in what form.

Everything that a reader's widget will ever import is imported once, in an interpreter that has the
whole standard library. What `sys.modules` holds afterwards is the list of modules to ship. Each is
then compiled again, smaller:

- Modules of others (standard library, Jinja2, MarkupSafe) lose docstrings, assertions, line
  tables, and the annotations of functions, which since Python 3.14 are hidden functions. A reader
  never sees any of that.
- Modules of `pysims` lose their docstrings only, since readers see the sources: a traceback of a
  pattern names the line, and an assertion means the same in CPython and in the browser. The
  patterns among them, and the guards that only they use, are not imported into the picture; the
  code of each and of its scene is packed for the shelf (`pysims/patterns/shelf.py`).

The compiled modules are the only input of the interpreter whose memory becomes the snapshot. It
never runs the compiler, so its heap holds no debris of syntax trees.
"""

import ast
import importlib
import importlib.util
import json
import marshal
import os
import sys
import types
import zipfile
from collections.abc import Iterator

SITE = "/lib/python{}.{}/site-packages".format(*sys.version_info[:2])
STDLIB_ZIP = "/lib/python{}{}.zip".format(*sys.version_info[:2])
OURS = "pysims"
GUARDS = f"{OURS}.guards"
# Half of a module's compiled code says which line each instruction came from. What draws and tells
# does without; what runs keeps it, because a reader may look at the lines that ran.
WITHOUT_LINES = ("view", "words", "scenarios", "questions")

# These exist only in a browser; the worker reaches them, if at all, after the restore.
NOT_IMPORTABLE_HERE = frozenset({"js", "pyodide_js", "polyscript"})

# The standard library imports these inside functions, when an exception is formatted or a template
# reports a mistake. After the restore there is nothing left to import them from.
IMPORTED_LATE = (
    "_colorize",
    "codeop",
    "linecache",
    "tokenize",
    "traceback",
    "jinja2.debug",
)

# Modules that are needed import these where they exist, and do without them where they do not.
ABSENT = frozenset({"bz2", "compression", "lzma", "ssl"})


def our_sources() -> dict[str, str]:
    """Paths of the package's modules by name, in a fixed order."""
    paths = {}
    for folder, folders, files in os.walk(f"{SITE}/{OURS}"):
        folders.sort()
        package = os.path.relpath(folder, SITE).replace("/", ".")
        for file in sorted(files):
            stem, extension = os.path.splitext(file)
            if extension == ".py":
                paths[package if stem == "__init__" else f"{package}.{stem}"] = f"{folder}/{file}"
    return dict(sorted(paths.items()))


def imports_anywhere(source: str) -> Iterator[str]:
    """Absolute names of modules that a source imports, in functions as well as at the top."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def names_to_import() -> list[str]:
    """Every module to import before the snapshot, ours last."""
    wanted = set(IMPORTED_LATE)
    ours = our_sources()
    for path in ours.values():
        with open(path, encoding="utf-8") as file:
            wanted.update(imports_anywhere(file.read()))
    others = {n for n in wanted if n.partition(".")[0] not in NOT_IMPORTABLE_HERE | {OURS}}
    return sorted(others) + list(ours)


def pattern_of(name: str) -> str:
    """The pattern that a module belongs to, or nothing."""
    parts = name.split(".")
    return parts[2] if parts[:2] == [OURS, "patterns"] and parts[2:] not in ([], ["shelf"]) else ""


def is_shelved(name: str) -> bool:
    """Whether a module comes to the reader with a pattern, and not with the picture."""
    return bool(pattern_of(name)) or f"{name}.".startswith(f"{GUARDS}.")


def guards_in(source: str) -> set[str]:
    """The guards that a source imports, with the package that they lie in."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            tail = node.module.rpartition("guards.")[2]
            if node.module.endswith("guards"):
                found.update(f"{GUARDS}.{alias.name}" for alias in node.names)
            elif "guards." in node.module:
                found.add(f"{GUARDS}.{tail}")
    return {GUARDS, *found} if found else found


def import_all(names: list[str]) -> None:
    """Imports the modules and lets the worker fill its caches, if it offers to."""
    importlib.invalidate_caches()
    for name in names:
        importlib.import_module(name)
    worker = importlib.import_module(f"{OURS}.widget.worker")
    getattr(worker, "warm_up", lambda: None)()


def nowhere(units: int) -> bytes:
    """A line table that covers so many code units, and says of none where it comes from.

    An empty table would be smaller, but `traceback` takes for granted that it covers the code.
    """
    full, rest = divmod(units, 8)
    entry = 0b1_1111_000  # "no location", for one unit more than the low three bits say
    return bytes([entry | 7]) * full + (bytes([entry | rest - 1]) if rest else b"")


def smaller(code: types.CodeType) -> types.CodeType:
    """The same code without line tables, in nested functions too."""
    constants = tuple(smaller(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.replace(co_consts=constants, co_linetable=nowhere(len(code.co_code) // 2))


class WithoutDocstrings(ast.NodeTransformer):
    """Shortens the docstrings of modules, classes and functions; the lines stay what they were.

    A word is left: what is imported from `__future__` may come after a docstring and after nothing
    else, and a dataclass that has none would write one, with its whole signature.
    """

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        known = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, known) and ast.get_docstring(node, clean=False):
            first = node.body[0]
            node.body[0] = ast.copy_location(
                ast.Expr(ast.copy_location(ast.Constant("-"), first)), first
            )
        return node


class WithoutAnnotations(ast.NodeTransformer):
    """Drops the annotations of functions; those of classes mean something to dataclasses."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._bare(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._bare(node)

    def _bare(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        known = node.args
        every = [*known.posonlyargs, *known.args, *known.kwonlyargs, known.vararg, known.kwarg]
        for argument in every:
            if argument is not None:
                argument.annotation = None
        return node


def code_of(source: str, filename: str, *, keep: bool) -> types.CodeType:
    """The compiled source of a module, as it is or smaller."""
    tree = ast.parse(source, filename)
    if keep:
        return compile(
            WithoutDocstrings().visit(tree), filename, "exec", optimize=0, dont_inherit=True
        )
    if "singledispatch" not in source:  # It chooses an implementation by its annotation.
        tree = WithoutAnnotations().visit(tree)
    return smaller(compile(tree, filename, "exec", optimize=2, dont_inherit=True))


def compiled(source: str, filename: str, *, keep: bool) -> bytes:
    """The bytes of a .pyc file that is never checked against its source."""
    unchecked_hash = (1).to_bytes(4, "little") + bytes(8)
    code = code_of(source, filename, keep=keep)
    return importlib.util.MAGIC_NUMBER + unchecked_hash + marshal.dumps(code)


def recorded() -> Iterator[tuple[str, str, str, str]]:
    """Name, base folder, path below it, and source of every loaded module that has a source."""
    for _, module in sorted(sys.modules.items()):
        # Built-in and frozen modules, which the WebAssembly brings along, have no such origin.
        spec = module.__spec__
        origin = (spec and spec.origin) or ""
        base = next((b for b in (STDLIB_ZIP, SITE) if origin.startswith(f"{b}/")), None)
        if spec is None or base is None or spec.name.partition(".")[0] in ABSENT:
            continue
        if origin.endswith(".py"):
            # All loaders of sources have this method; the zip archive's has no class in common.
            source = spec.loader.get_source(spec.name)  # type: ignore[union-attr]
            yield spec.name, base, origin[len(base) + 1 :], source


def write_compiled(stdlib_zip: str, site: str) -> int:
    """Writes all loaded modules: the standard library's to a zip, others below `site`.

    Returns the number of modules.
    """
    count = 0
    with zipfile.ZipFile(stdlib_zip, "w", zipfile.ZIP_STORED) as archive:
        for name, base, path, source in recorded():
            count += 1
            if base == SITE and is_shelved(name):
                continue
            data = compiled(source, f"{base}/{path}", keep=path.startswith(f"{OURS}/"))
            if base == STDLIB_ZIP:
                archive.writestr(zipfile.ZipInfo(f"{path}c", (1980, 1, 1, 0, 0, 0)), data)
                continue
            target = f"{site}/{path}c"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(data)
    return count


def patterns_code() -> dict[str, dict[str, types.CodeType]]:
    """Pattern → the names of its modules, and of the guards that it uses → their code."""
    sources = {}
    for name, path in our_sources().items():
        with open(path, encoding="utf-8") as file:
            sources[name] = file.read()
    wanted: dict[str, set[str]] = {}
    for name in sources:
        if pattern_of(name):
            wanted.setdefault(pattern_of(name), set()).add(name)
    found: dict[str, dict[str, types.CodeType]] = {}
    for pattern, names in wanted.items():
        queue = sorted(names)
        for name in queue:
            queue += sorted(guards_in(sources[name]) - set(queue))
        for name in queue:
            code = code_of(sources[name], our_sources()[name], keep=True)
            bare = name.rpartition(".")[2] in WITHOUT_LINES
            found.setdefault(pattern, {})[name] = smaller(code) if bare else code
    return found


def write_shelf(folder: str) -> None:
    """Packs the code of every pattern for the shelf, each into a file of its own."""
    os.makedirs(folder, exist_ok=True)
    for pattern, modules in patterns_code().items():
        shelf = importlib.import_module(f"{OURS}.patterns.shelf")
        render = importlib.import_module(f"{OURS}.widget.render")
        template = f"{pattern}/scene.svg.jinja"
        scene = render.environment().compile(render.source_of(template), template, template)
        with open(f"{folder}/{pattern}", "wb") as file:
            file.write(shelf.pack(modules, smaller(scene)))


def record(stdlib_zip: str, site: str, shelf: str) -> str:
    """Imports everything and writes what that took.

    Returns JSON with `names`, the modules to import into the picture, and `modules`, their number.
    """
    names = names_to_import()
    import_all(names)
    count = write_compiled(stdlib_zip, site)
    write_shelf(shelf)
    names = [name for name in names if not is_shelved(name)]
    return json.dumps({"names": names, "modules": count})
