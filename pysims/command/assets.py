"""`pysims assets`: the browser's files into somebody else's site."""

from __future__ import annotations

import argparse

from ..widget.assets import bring

OUT_OF_DATE = 1


def print_assets(options: argparse.Namespace) -> int:
    """Bring the browser's files into a site; 1 if `--check` finds that they are not there."""
    told, fine = bring(options.docs, check=options.check)
    print(told)
    return 0 if fine else OUT_OF_DATE
