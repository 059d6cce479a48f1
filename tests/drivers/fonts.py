"""The site's fonts, cut down to what the site writes: `python -m tests.drivers.fonts FOLDER`.

A reader on a slow line waits for every kilobyte, so docs/assets/fonts/ holds Adobe's Source faces
with the weights and the characters of this site only. Their license reserves the name "Source" for
fonts that nobody changed, hence ours. FOLDER holds the packages that they are made from, unpacked:

    npm pack @fontsource-variable/source-{serif-4,sans-3,code-pro}@5.3.1

It needs `pip install brotli`, which nothing else here does; fontTools is there with matplotlib. The
same packages give the same files, byte for byte. The ranges of characters in docs/assets/fonts.css
are rewritten.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

ASSETS = Path(__file__).parents[2] / "docs" / "assets"
STYLES = ASSETS / "fonts.css"

ASCII = "".join(map(chr, range(0x20, 0x7F)))
# Letters of the names of people and places, and the signs that prose and formulas need.
NAMES = "àáâãäåæçèéêëíîïñóôöøúüýßÀÁÄÅÇÉÖØÜÝ"
SIGNS = "\u00a0§°±²³µ¶·¹½¼¾×÷–—‘’“”…\u2060⁰⁴⁵⁶⁷⁸⁹⁻₁₂←↑→↓↩⇒−√≈≠≤≥≪■▲▶▼◀●✓"
GREEK = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρςστυφχψω"
MORE = "".join(map(chr, range(0x100, 0x180))) + "ᵈᵏⁿₙ"
LATIN = ASCII + NAMES + SIGNS

# Kerning, ligatures, accents, and the fractions and figures that the faces have anyway.
FEATURES = ("ccmp", "kern", "liga", "locl", "mark", "mkmk")
COPYRIGHT, FAMILY, UNIQUE, FULL, POSTSCRIPT, LICENSE, LICENSE_URL = 0, 1, 3, 4, 6, 13, 14


@dataclass(frozen=True)
class Face:
    """One file: its name here, where it comes from, and what stays of it."""

    name: str
    family: str
    source: str
    characters: str
    weights: tuple[int, int] | int  # all between two, or one


FACES = (
    Face("serif", "Survive Serif", "source-serif-4-latin-wght-normal", LATIN, (400, 700)),
    Face("serif-italic", "Survive Serif", "source-serif-4-latin-wght-italic", LATIN, 400),
    Face("serif-greek", "Survive Serif", "source-serif-4-greek-wght-normal", GREEK, 400),
    Face("serif-more", "Survive Serif", "source-serif-4-latin-ext-wght-normal", MORE, 400),
    Face("sans", "Survive Sans", "source-sans-3-latin-wght-normal", LATIN, (400, 700)),
    Face("sans-italic", "Survive Sans", "source-sans-3-latin-wght-italic", LATIN, 400),
    Face("mono", "Survive Mono", "source-code-pro-latin-wght-normal", LATIN, (400, 700)),
)


def made(face: Face, original: bytes) -> tuple[bytes, list[int]]:
    """The file of a face in WOFF2, and the code points that it can draw."""
    # Written once and read again: what is left of a variable font must be whole to be cut further.
    limited, between = io.BytesIO(), TTFont(io.BytesIO(original), recalcTimestamp=False)
    instancer.instantiateVariableFont(between, {"wght": face.weights}).save(limited)
    font = TTFont(io.BytesIO(limited.getvalue()), recalcTimestamp=False)
    kept = sorted(set(map(ord, face.characters)) & set(font.getBestCmap()))
    cut(font, kept)
    rename(font, face)
    font.flavor = "woff2"
    file = io.BytesIO()
    font.save(file)
    return file.getvalue(), kept


def cut(font: Any, code_points: Iterable[int]) -> None:
    """Take every other character away, with what only those need."""
    options = subset.Options(
        layout_features=list(FEATURES), hinting=False, glyph_names=False, notdef_outline=True
    )
    options.name_IDs = [COPYRIGHT, FAMILY, 2, UNIQUE, FULL, POSTSCRIPT, LICENSE, LICENSE_URL]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=code_points)
    subsetter.subset(font)


def rename(font: Any, face: Face) -> None:
    """Give it our name: the license reserves the old one."""
    style = " Italic" if face.name.endswith("italic") else ""
    whole = face.family + style
    names = {
        FAMILY: face.family,
        UNIQUE: f"{whole}, {face.name}",
        FULL: whole,
        POSTSCRIPT: whole.replace(" ", ""),
    }
    for record in font["name"].names:
        if record.nameID in names:
            record.string = names[record.nameID]


def ranges(code_points: Sequence[int]) -> str:
    """Sorted code points as CSS writes them: "U+0020-007E, U+00A0"."""
    runs: list[list[int]] = []
    for point in code_points:
        if runs and runs[-1][1] == point - 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return ", ".join(
        f"U+{first:04X}" if first == last else f"U+{first:04X}-{last:04X}" for first, last in runs
    )


def wrapped(text: str, width: int = 96) -> str:
    """A list with commas as lines of CSS."""
    lines = [""]
    for part in text.split(", "):
        if len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part + ", "
    return "\n".join("    " + line.rstrip() for line in lines).rstrip(",").lstrip()


def with_ranges(styles: str, name: str, code_points: Sequence[int]) -> str:
    """The style sheet with the characters of one file. Raises `LookupError` if it has none."""
    place = re.compile(rf'(fonts/{name}\.woff2"\) format\("woff2"\);\s+unicode-range: )[^;]+;')
    text, found = place.subn(lambda at: f"{at[1]}{wrapped(ranges(code_points))};", styles)
    if found != 1:
        raise LookupError(f"fonts.css names {name}.woff2 with its characters {found} times, not 1")
    return text


def main(arguments: Sequence[str]) -> int:
    """Write all faces; prints the size of each before and after."""
    parser = argparse.ArgumentParser(prog="python -m tests.drivers.fonts", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the packages were unpacked")
    folder = parser.parse_args(arguments).folder
    styles = STYLES.read_text("utf-8")
    for face in FACES:
        found = sorted(folder.rglob(f"{face.source}.woff2"))
        if not found:
            raise SystemExit(f"{folder} has no {face.source}.woff2: see this program's first lines")
        original = found[0].read_bytes()
        file, code_points = made(face, original)
        (ASSETS / "fonts" / f"{face.name}.woff2").write_bytes(file)
        styles = with_ranges(styles, face.name, code_points)
        print(
            f"{face.name}: {len(original):,} to {len(file):,} bytes, {len(code_points)} characters"
        )
    STYLES.write_text(styles, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
