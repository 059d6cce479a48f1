"""`python -m pysims.offline [SITE]`: finish a built site, by default `site/`."""

from __future__ import annotations

import sys
from pathlib import Path

from . import finish

if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    try:
        listed = finish(folder)
    except (ValueError, OSError) as problem:
        sys.exit(f"{problem}")
    files = listed["files"]
    size, travel = sum(bytes_ for bytes_, _ in files.values()), listed["travel"]
    print(f"{folder}: {len(files)} files, {size / 1e6:.1f} MB; {travel / 1e6:.1f} MB travel")
