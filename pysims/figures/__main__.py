"""`python -m pysims.figures [name …]` computes the tables of figures anew: all, or those named."""

from __future__ import annotations

import sys

from .base import write
from .catalog import FIGURES


def main(names: list[str]) -> None:
    """Compute and keep the tables of these figures, or of all."""
    for name in names or list(FIGURES):
        if name not in FIGURES:
            raise SystemExit(f"there is no figure {name!r}, those are: {', '.join(FIGURES)}")
        write(FIGURES[name])
        print(f"{FIGURES[name].path.name}: written", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
