"""A test that reads the source: the walls of the house, and the size of its rooms."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pysims"
LINES_MAX = 60
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "node_modules" not in path.parts)

# A model must be the same run everywhere: no clock, no entropy, no file, no network, no thread.
FORBIDDEN_IN_MODELS = {
    "asyncio", "datetime", "io", "multiprocessing", "os", "pathlib", "random", "secrets",
    "socket", "subprocess", "threading", "time", "urllib", "uuid",
}  # fmt: skip


SHARED = {"pysims.kernel", "pysims.consistency", "pysims.order_book"}
SHARED_BY_VIEWS = {"pysims.kernel", "pysims.phrases", "pysims.shapes", "pysims.order_book"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Module → the names taken from it, absolute; what only the type checker reads counts too."""
    tree = ast.parse(path.read_text("utf-8"))
    package = list(path.relative_to(ROOT).parent.parts)

    def walk(nodes: list[ast.stmt]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, ()
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                yield module, tuple(alias.name for alias in node.names)
            for field in ("body", "orelse", "finalbody", "handlers"):
                yield from walk(getattr(node, field, []))

    return walk(tree.body)


def inner(path: Path) -> set[str]:
    """The modules of pysims that a module imports, each as far as it is a module."""
    known = {name_of(module) for module in MODULES}
    found = set()
    for module, names in imports_of(path):
        if module.partition(".")[0] == "pysims":
            below = {f"{module}.{name}" for name in names} & known
            found |= below or {module}
            if below != {f"{module}.{name}" for name in names}:
                found.add(module)
    return found


def outer(path: Path) -> set[str]:
    """The top-level packages other than pysims and the standard library that a module imports."""
    tops = {module.partition(".")[0] for module, _ in imports_of(path)}
    return tops - {"pysims", "__future__"} - sys.stdlib_module_names


def kinds(kind: str) -> list[Path]:
    """The modules of the patterns: `view`, `words`, `scenarios`, `model` and what is beside."""
    inside = [path for path in MODULES if path.parent.parent == PACKAGE / "patterns"]
    if kind == "model":
        return [p for p in inside if p.stem not in ("view", "words", "scenarios", "__init__")]
    return [path for path in inside if path.stem == kind]


def test_the_kernel_imports_the_standard_library_and_itself() -> None:
    for path in (PACKAGE / "kernel").glob("*.py"):
        assert outer(path) == set(), path
        assert all(name.startswith("pysims.kernel") for name in inner(path)), path


@pytest.mark.parametrize("path", kinds("model"), ids=name_of)
def test_a_model_imports_the_standard_library_the_kernel_and_what_models_share(path: Path) -> None:
    assert outer(path) == set()
    siblings = {name_of(p) for p in kinds("model") if p.parent == path.parent}
    shared = {name for name in map(name_of, MODULES) if name.startswith("pysims.guards")}
    assert inner(path) <= siblings | shared | SHARED
    assert {module.partition(".")[0] for module, _ in imports_of(path)}.isdisjoint(
        FORBIDDEN_IN_MODELS
    )


@pytest.mark.parametrize("path", [p for p in MODULES if "patterns" in p.parts], ids=name_of)
def test_records_are_replaced_by_the_kernels_function(path: Path) -> None:
    for module, names in imports_of(path):
        assert module != "dataclasses" or "replace" not in names


@pytest.mark.parametrize("path", kinds("view") + kinds("words") + kinds("scenarios"), ids=name_of)
def test_a_view_adds_nothing_but_the_model_and_what_views_share(path: Path) -> None:
    assert outer(path) == set()
    models = {name_of(p) for p in kinds("model") if p.parent == path.parent}
    words = {name_of(p) for p in kinds("words") if p.parent == path.parent}
    assert inner(path) <= models | words | SHARED_BY_VIEWS


@pytest.mark.parametrize("name", ["shapes", "phrases", "consistency", "guards"])
def test_what_patterns_share_stands_on_nothing(name: str) -> None:
    for path in MODULES:
        if path.relative_to(PACKAGE).with_suffix("").parts[0] == name:
            assert outer(path) == set(), path
            assert all(module.startswith(f"pysims.{name}") for module in inner(path)), path


def test_the_order_book_stands_on_the_kernel() -> None:
    path = PACKAGE / "order_book.py"
    assert outer(path) == set()
    assert inner(path) == {"pysims.kernel"}


def test_a_sweep_stands_on_the_kernel() -> None:
    path = PACKAGE / "sweep.py"
    assert outer(path) == set()
    assert inner(path) == {"pysims.kernel"}


def test_only_what_markdown_calls_knows_it_and_nothing_knows_mkdocs() -> None:
    called = {
        PACKAGE / "widget" / "fence.py",
        PACKAGE / "figures" / "fence.py",
        PACKAGE / "numbers" / "inline.py",
        PACKAGE / "prose" / "api.py",
        PACKAGE / "prose" / "fences.py",
        PACKAGE / "prose" / "stills.py",
        PACKAGE / "prose" / "tooltips.py",
        PACKAGE / "questions.py",
    }
    for path in MODULES:
        known = outer(path)
        assert "mkdocs" not in known, path
        if path not in called:
            assert known.isdisjoint({"markdown", "pymdownx"}), path


def test_only_the_worker_may_know_that_there_is_a_browser() -> None:
    for path in MODULES:
        if path.parent.name != "inside" and path != PACKAGE / "widget" / "worker.py":
            assert outer(path).isdisjoint({"js", "pyodide", "pyodide_js", "pyscript"}), path


def test_the_core_has_no_dependency_and_the_widget_only_the_template_engine() -> None:
    for path in MODULES:
        part = path.relative_to(PACKAGE).parts[0]
        if part == "figures":
            assert outer(path) <= {"markupsafe", "matplotlib", "pymdownx"}, path
        elif part == "prose":
            assert outer(path) <= {"markdown", "markupsafe", "pymdownx", "PIL"}, path
        elif part == "command":
            allowed = {"matplotlib"} if path.stem == "drawing" else set()
            assert outer(path) == allowed, path
        elif part == "questions.py":
            assert outer(path) == {"markdown"}, path
        elif part not in ("widget", "runtime", "numbers"):
            assert outer(path) == set(), path
        elif part != "runtime":
            assert outer(path) <= {"jinja2", "markupsafe", "pymdownx"}, path


def test_only_the_site_knows_the_figures() -> None:
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] != "figures":
            assert not any(name.startswith("pysims.figures") for name in inner(path)), path


def test_no_circle_of_imports() -> None:
    graph = {name_of(path): inner(path) for path in MODULES}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            pytest.fail(" → ".join([*way[way.index(name) :], name]))
        if name in done:
            return
        for other in sorted(graph.get(name, ())):
            if other != name:
                visit(other, (*way, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_fit_a_screen_and_modules_say_what_they_are(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{path} does not say what it is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= LINES_MAX, f"{path}:{node.lineno} {node.name} has {lines} lines"


def test_a_pattern_is_a_folder_with_all_its_parts() -> None:
    for folder in (PACKAGE / "patterns").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            parts = {path.name for path in folder.iterdir()}
            modules = {"__init__.py", "model.py", "view.py", "scenarios.py", "questions.py"}
            wanted = modules | {"scene.svg.jinja", "scene.css"}
            assert wanted <= parts, folder


def test_a_scene_styles_only_its_own_classes() -> None:
    prefixes: dict[str, str] = {}
    for path in (PACKAGE / "patterns").glob("*/scene.css"):
        code = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        selectors = re.findall(r"([^{}]+)\{", code)
        own = {c for s in selectors for c in re.findall(r"\.([a-z]+-)", s)} - {"sim-", "md-"}
        assert len(own) == 1, f"{path}: {sorted(own)}"
        assert own.isdisjoint(prefixes), f"{path}: {prefixes[min(own)]} has the same prefix"
        prefixes[min(own)] = path.parent.name
        for selector in selectors:
            if not selector.lstrip().startswith("@"):
                for part in re.sub(r"\([^()]*\)", "", selector).split(","):
                    assert min(own) in part, f"{path}: {part.strip()}"


def test_the_script_of_the_page_knows_no_pattern() -> None:
    script = (ROOT / "docs" / "assets" / "sim.js").read_text("utf-8").lower()
    for folder in (PACKAGE / "patterns").iterdir():
        for word in (folder.name, folder.name.replace("_", "-"), folder.name.replace("_", " ")):
            if folder.is_dir() and not word.startswith("__"):
                assert word not in script


def test_every_pattern_has_a_chapter() -> None:
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    for folder in (PACKAGE / "patterns").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert re.search(rf"^```sim {folder.name}\b", pages, re.MULTILINE), folder.name


def test_fence_headers_have_their_values_in_quotes() -> None:
    # SuperFences takes a header with a bare value for no fence, and says nothing.
    for page in (ROOT / "docs").rglob("*.md"):
        for line in page.read_text("utf-8").splitlines():
            if line.startswith("```sim"):
                assert not re.search(r"=(?!\")", line), f"{page}: {line}"
