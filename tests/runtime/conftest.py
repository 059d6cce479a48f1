"""A small package of the shape of `pysims`, the runtime built from it, and pages that start it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from pysims.runtime.build import build
from tests.drivers.server import StaticServer, serving

# A package that does on demand what the real one must never do.
SPECIMEN = {
    "__init__.py": '"""A package to build a runtime from."""\n',
    "__main__.py": "raise SystemExit('This is not for the browser.')\n",
    "kernel/__init__.py": "",
    "kernel/draws.py": """
        import hashlib
        import random


        def digest(seed: int) -> str:
            draws = random.Random(seed)
            return hashlib.sha256(repr([draws.random() for _ in range(9)]).encode()).hexdigest()
        """,
    "widget/__init__.py": "",
    "widget/fence.py": "import a_module_that_only_the_site_has\n",
    "widget/templates/dot.svg.jinja": "<circle><title>{{ name }}</title></circle>\n",
    "widget/templates/list.svg.jinja": (
        '<svg>{% for name in names %}{% include "dot.svg.jinja" %}{% endfor %}{{ more.less }}</svg>'
    ),
    "widget/worker.py": """
        import json
        from importlib import resources

        from jinja2 import DictLoader, Environment, StrictUndefined

        from pysims.kernel.draws import digest

        __all__ = ["dispatch", "shout"]

        folder = resources.files("pysims.widget").joinpath("templates")
        texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
        pages = Environment(
            autoescape=True, loader=DictLoader(texts), undefined=StrictUndefined
        )
        for name in texts:
            pages.get_template(name)


        def draw(names):
            return pages.get_template("list.svg.jinja").render(names=names, more={"less": ""})


        def fail_in_template():
            return pages.get_template("list.svg.jinja").render(names=["a"], more=None)


        def import_late(name):
            import importlib

            return importlib.import_module(name).__name__


        def hang():
            while True:
                pass


        def dispatch(message: str) -> str:
            order = json.loads(message)
            name, argument = order["do"], order.get("with")
            deeds = {"draw": draw, "digest": digest, "import": import_late}
            if name in deeds:
                return json.dumps(deeds[name](argument))
            return json.dumps({"hang": hang, "fail": fail_in_template}[name]())


        def shout(text: str) -> str:
            return text.upper()
        """,
}

PAGE = """<!doctype html>
<meta charset="utf-8"><title>Runtime</title><link rel="icon" href="data:,">
{policy}<script src="before.js"></script><script src="runtime/sim-runtime.js"></script>
<script src="scenario.js"></script>
"""

# Scenarios are the body of an async function; what they return ends up in `window.done`, and in
# that of a page around them.
SCENARIO = """
const ask = async (runtime, message) => JSON.parse(await runtime.call(JSON.stringify(message)));
const failure = (promise) => promise.then(
  () => null, ({{ name, code, message }}) => ({{ name, code, message }}));
const patience = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
(async () => {{ {body} }})().then(
  (value) => ({{ value }}), (error) => ({{ error: `${{error.code}}: ${{error.stack}}` }})
).then((done) => {{
  window.done = done;
  if (parent !== window) parent.postMessage(done, "*");
}});
"""

FRAME = """<!doctype html>
<meta charset="utf-8"><title>A page around it</title><link rel="icon" href="data:,">
<iframe {attributes} src="{source}"></iframe><script src="frame.js"></script>
"""


def write_package(root: Path, changes: dict[str, str] | None = None) -> Path:
    """Writes the specimen, with changes, below a folder; returns the folder."""
    for name, text in {**SPECIMEN, **(changes or {})}.items():
        path = root / "pysims" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a package `pysims`."""
    return write_package(tmp_path_factory.mktemp("specimen"))


@pytest.fixture(scope="session")
def built(specimen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runtime built from the specimen."""
    out = tmp_path_factory.mktemp("built") / "runtime"
    assert build(out, package_root=specimen)
    return out


class Site:
    """A folder with the runtime and a page that plays a scenario."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.folder = folder
        shutil.copytree(runtime, folder / "runtime")
        frame_script = 'addEventListener("message", ({ data }) => (window.done = data));\n'
        (folder / "frame.js").write_text(frame_script, encoding="utf-8")

    def page(self, scenario: str, policy: str = "", before: str = "") -> str:
        """Writes the page, with a script to run before the runtime's; returns its name."""
        (self.folder / "before.js").write_text(before, encoding="utf-8")
        head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
        (self.folder / "index.html").write_text(PAGE.format(policy=head), encoding="utf-8")
        text = SCENARIO.format(body=scenario)
        (self.folder / "scenario.js").write_text(text, encoding="utf-8")
        return "index.html"

    def frame(self, source: str, attributes: str = "") -> str:
        """Writes a page with a frame in it; returns its name."""
        text = FRAME.format(source=source, attributes=attributes)
        (self.folder / "frame.html").write_text(text, encoding="utf-8")
        return "frame.html"


@pytest.fixture
def site(built: Path, tmp_path: Path) -> Site:
    """A site of its own for a test, in a folder whose name needs care in an address."""
    folder = tmp_path / "a site, 100 % plain"
    folder.mkdir()
    return Site(folder, built)


@pytest.fixture
def server(site: Site) -> Iterator[StaticServer]:
    """The test's site on a plain server."""
    with serving(site.folder) as static:
        yield static
