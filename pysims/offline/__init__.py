"""What is done to a site once it is built: `python -m pysims.offline`, and `… .archive` for disk.

The stylesheets of a page become one (`styles.py`). And two things that no page can know while it is
written:

- each page is told what it was built with (a `<meta name="sim-build">`: the runtime's build, and
  the digests of the scripts that come later), so that `sim.js` refuses altered ones, and notices
  when the site was updated under an open page;
- `offline.json` lists the files that a reader may want to keep, with size and digest, and `sw.js`
  is the service worker that keeps them (`worker.js`, with the digest of that list written into it).

It is a command and no plugin, so it works for whatever has built the site. A site without it, as
`make serve` shows it, registers no service worker and compares nothing.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from .styles import EMBEDS, PAGES, join_styles

HERE = Path(__file__).resolve().parent
LIST = "offline.json"
WORKER = "sw.js"
PLACEHOLDER = "BUILD-OF-THE-SITE"
META = re.compile(r'<meta name="sim-build" content="[^"]*">\n?')
# What `sim.js` brings after the page, below `assets/`.
CHECKED = ("runtime/sim-runtime.js", "panel-*.js", "panel-*.css")
# What frames are drawn with besides: a page that has other ones is of another build.
FITTING = ("sim.js", "sim.css", "scenes.css")
# Never asked for by a reader over HTTP: for disk only, for machines, for other languages than ours.
LEFT_OUT = re.compile(
    r"\.b64\.js$|\.map$|\.gz$|^assets/(cards|javascripts/lunr)/"
    r"|^assets/runtime/(stamp|manifest)\.|^embed/.*\.json$|^search/.*\.js$|^robots\.txt$|^\.|LICENSE"
    # The parts of the joined stylesheets.
    rf"|^assets/stylesheets/|^assets/(?!panel-|{re.escape(PAGES)}$|{re.escape(EMBEDS)}$)[^/]*\.css$"
)
PACKED = (".bin", ".png", ".woff2")


def finish(site: Path) -> dict[str, Any]:
    """Join styles, tell pages what they were built with, write the list and the service worker.

    Returns the list. `ValueError` if there is no site in the folder.
    """
    if not (site / "index.html").is_file():
        raise ValueError(f"{site} holds no built site: `make site` builds one")
    join_styles(site)
    tell_pages(site)
    listed = listing(site)
    text = json.dumps(listed, separators=(",", ":"))
    build = hashlib.sha256(text.encode()).hexdigest()[:12]
    (site / LIST).write_text(text, encoding="utf-8")
    worker = (HERE / "worker.js").read_text(encoding="utf-8")
    if worker.count(PLACEHOLDER) != 1:
        raise ValueError(f"worker.js must say {PLACEHOLDER} once")
    (site / WORKER).write_text(worker.replace(PLACEHOLDER, build), encoding="utf-8")
    return listed


def tell_pages(site: Path) -> None:
    """Write into every page what it was built with, in the place of what an earlier call wrote."""
    line = f'<meta name="sim-build" content="{built_with(site / "assets")}">\n'
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        told = META.sub("", text).replace("</head>", f"{line}</head>", 1)
        if told != text:
            page.write_text(told, encoding="utf-8")


def built_with(assets: Path) -> str:
    """The runtime's build, a digest of what its frames must fit, then file and digest by turns."""
    entry = assets / "runtime" / "sim-runtime.js"
    named = re.search(r'"build":"([0-9a-f]+)"', entry.read_text(encoding="utf-8"))
    if named is None:
        raise ValueError(f"{entry} does not say which build it is: `make runtime` builds it anew")
    fitting = b"".join((assets / name).read_bytes() for name in FITTING)
    words = [named[1], hashlib.sha256(fitting).hexdigest()[:12]]
    for pattern in CHECKED:
        for path in sorted(assets.glob(pattern)):
            words += [path.relative_to(assets).as_posix(), f"sha256-{digest(path.read_bytes())}"]
    return " ".join(words)


def digest(content: bytes) -> str:
    """SHA-256 in base64, as browsers write it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def listing(site: Path) -> dict[str, Any]:
    """The files to keep: `{path: [bytes, digest]}`, and about how many bytes travel for them."""
    files: dict[str, list[Any]] = {}
    travel = 0
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if not path.is_file() or name in (LIST, WORKER) or LEFT_OUT.search(name):
            continue
        content = path.read_bytes()
        files[name] = [len(content), digest(content)]
        packed = path.suffix in PACKED
        travel += len(content) if packed else len(gzip.compress(content, 6, mtime=0))
    return {"travel": travel, "files": files}
