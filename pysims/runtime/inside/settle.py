"""Runs inside Pyodide while the site is built, last of all: leaves nothing that is of no use later.

The heap is photographed right after this. What is still referenced then is downloaded by every
reader; what refers to a file or a folder refers to something that will not exist.
"""

import gc
import importlib
import json
import linecache
import random
import sys
import types
import zipimport

# Pyodide, Jinja2 and the standard library import these, and a widget never comes to use them:
# sockets and processes, files and archives, the event loop, the template compiler (all templates
# are compiled by now). They are emptied, which makes the snapshot a fifth smaller. What `pysims`
# itself imports by name is left whole.
HOLLOW = (
    "_pyodide._core_docs",
    "asyncio",
    "concurrent",
    "csv",
    "dis",
    "email",
    "glob",
    "importlib.metadata",
    "importlib.resources",
    "ipaddress",
    "jinja2.bccache",
    "jinja2.compiler",
    "jinja2.ext",
    "jinja2.idtracking",
    "jinja2.lexer",
    "jinja2.meta",
    "jinja2.optimizer",
    "jinja2.parser",
    "jinja2.visitor",
    "logging",
    "pickle",
    "pyodide.webloop",
    "quopri",
    "selectors",
    "shutil",
    "site",
    "socket",
    "subprocess",
    "tempfile",
    "zipfile",
)


def import_recorded(names_json: str) -> None:
    """Imports the recorded modules, which is all that the snapshot is for."""
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    for name in json.loads(names_json):
        importlib.import_module(name)
    worker = importlib.import_module("pysims.widget.worker")
    getattr(worker, "warm_up", lambda: None)()


def _absent(*_: object, **__: object) -> None:
    raise RuntimeError("This function was left out of the browser's Python, see HOLLOW.")


def _nothing() -> None:
    pass


def is_within(module: str | None, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of the packages or lies in one."""
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def hollow_out(packages: tuple[str, ...]) -> None:
    """Takes the bodies of all functions of the packages; then forgets the modules.

    What others have imported from there stays: a class can still be inherited from, a function
    still be named, and calling it says that it was left out. Closures keep their bodies.
    """
    for function in gc.get_objects():
        if not isinstance(function, types.FunctionType) or function.__closure__:
            continue
        if is_within(function.__module__, packages):
            function.__code__ = _absent.__code__
            function.__defaults__ = function.__kwdefaults__ = None
            function.__annotate__ = None  # type: ignore[attr-defined]  # new in Python 3.14
    for name, module in list(sys.modules.items()):
        # Pyodide's own hold JavaScript objects that the snapshot must find where they were.
        if is_within(name, packages) and not is_within(name, ("pyodide", "_pyodide")):
            del sys.modules[name]
            namespace = vars(module)
            for key in [key for key in namespace if not key.startswith("__")]:
                del namespace[key]


def settle(names_json: str) -> None:
    """Forgets files and everything about them, and collects garbage until there is none."""
    # A module may have frozen what it imported. The collector looks at everything here.
    gc.unfreeze()
    # Pyodide looks for installed packages after a restore. There are none, and no folder either.
    loader = importlib.import_module("pyodide._package_loader")
    loader.init_loaded_packages = _nothing  # type: ignore[attr-defined]
    wanted = set(json.loads(names_json))
    hollow_out(tuple(package for package in HOLLOW if package not in wanted))
    sys.path[:] = [entry for entry in sys.path if not entry.endswith(".zip")]
    sys.path_importer_cache.clear()
    vars(zipimport)["_zip_directory_cache"].clear()
    linecache.clearcache()
    random.seed(0)
    while gc.collect():
        pass
