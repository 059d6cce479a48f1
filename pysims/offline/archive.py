"""The site as one ZIP for reading from disk: `python -m pysims.offline.archive [SITE [OUT]]`.

Pages on disk load scripts and nothing else, so what only `fetch` can bring is left out, and the
same files in base64 within scripts go in. One site gives one ZIP, byte for byte: names are sorted,
times and permissions fixed.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

from .. import __version__
from . import LIST, META, WORKER

NAME = "how-systems-survive-chaos"
ROOT = Path(__file__).resolve().parents[2]
# What no page on disk asks for: what is fetched, or meant for servers, other sites, machines.
LEFT_OUT = re.compile(
    r"\.(bin|mjs|map|gz)$|^assets/(cards|javascripts/lunr)/"
    r"|^assets/runtime/(stamp|manifest)\.|^embed/.*\.json$|^robots\.txt$|^404\.html$|^\."
)
BEGINNING_OF_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
README = """\
How Systems Survive Chaos, version {version}

Open index.html in a browser: a double-click does. Nothing is installed, no server and no network
are needed, and nothing that you do leaves this machine. Unpack the whole folder first; a browser
that looks into the ZIP itself finds only the one page.

Chromium, Chrome, Edge, Firefox and Safari of 2023 or later can run the figures. In any other
browser there remain the text and the first picture of each figure.

LICENSE.txt and NOTICE.txt say what is in here, and under which terms.
"""


def contents(site: Path) -> dict[str, bytes]:
    """Name → content of all that goes into the ZIP, below its one folder.

    `ValueError` if the folder holds no built site.
    """
    if not (site / "index.html").is_file():
        raise ValueError(f"{site} holds no built site: `make site` builds one")
    found = {
        "README.txt": README.format(version=__version__).encode(),
        "LICENSE.txt": (ROOT / "LICENSE").read_bytes(),
        "NOTICE.txt": (ROOT / "NOTICE").read_bytes(),
    }
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if not path.is_file() or name in (LIST, WORKER) or LEFT_OUT.search(name):
            continue
        content = path.read_bytes()
        if path.suffix == ".html":
            # A copy is never updated under its reader, and has no service worker.
            content = META.sub("", content.decode("utf-8")).encode()
        found[name] = content
    return found


def write(site: Path, out: Path) -> Path:
    """Write the ZIP into the folder `out`; returns its path."""
    folder = f"{NAME}-{__version__}"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{folder}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted(contents(site).items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}", BEGINNING_OF_ZIP_TIME)
            entry.create_system = 3  # Unix, whatever the machine: permissions are meant as there.
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
    return path


def main(arguments: list[str]) -> int:
    """Write the ZIP as the command line says, and print its size; returns the exit status."""
    site, out = (Path(given) for given in [*arguments, *("site", "dist")[len(arguments) :]])
    try:
        path = write(site, out)
    except (ValueError, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(f"{path.stat().st_size:>10,}  {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
