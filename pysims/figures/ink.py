"""The drawing kit: a sheet of matplotlib whose colors are names that a style sheet fills in.

matplotlib knows colors, not classes. So each name of a color is drawn as a color that nothing else
has, and `svg` writes the class in its place: a figure takes the colors of the page around it, in
light, dark, print and forced colors. Lines differ by dashes and marks besides, and carry their name
where they are, since a color alone tells nothing to many readers.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter, NullLocator

WIDTH = 340
"""The width of every figure (px). A phone of 360 px leaves 324 px for it."""
TEXT = 12.5
"""The size of all text (px), of which a phone shows 11.9."""

LINE_PX = 15
"""From one line of words to the next."""

INK, MUTED, LINE, HAIR, PAPER = "#010001", "#010002", "#010003", "#010004", "#010005"
SERIES = tuple(f"#0200{index:02x}" for index in range(5))
CLASSES: Mapping[str, tuple[str, str]] = {
    INK: ("fig-fill-ink", "fig-stroke-ink"),
    MUTED: ("fig-fill-muted", "fig-stroke-muted"),
    LINE: ("fig-fill-line", "fig-stroke-line"),
    HAIR: ("fig-fill-hair", "fig-stroke-hair"),
    PAPER: ("fig-fill-paper", "fig-stroke-paper"),
    **{color: (f"sim-fill{index}", f"sim-stroke{index}") for index, color in enumerate(SERIES)},
}
"""Color on the sheet → the classes that fill with it, and that draw lines with it."""

DASHES: tuple[Any, ...] = ("solid", (0, (6, 2)), (0, (2, 2)), (0, (7, 2, 2, 2)), (0, (10, 3)))
MARKS = ("o", "s", "^", "D", "v")

Ticks: TypeAlias = Sequence[tuple[float, str]]

RULES: dict[str, Any] = {
    "svg.fonttype": "none",
    # Ids are made anew by `svg`, so any salt does; without one they would be random.
    "svg.hashsalt": "pysims",
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "text.color": INK,
    "axes.unicode_minus": True,
    "path.simplify": False,
}


class Sheet:
    """A sheet of paper, `WIDTH` × `height` px; places on it are px from its upper left corner."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.canvas = Canvas(figsize=(WIDTH / 72, height / 72), dpi=72)
        # The page is the paper.
        self.canvas.patch.set_visible(False)

    def axes(
        self,
        box: tuple[float, float, float, float],
        x: Ticks,
        y: Ticks,
        *,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        logarithmic: str = "",
    ) -> Axes:
        """Axes in a box (left, top, right, bottom) with ticks at values, each with its words.

        `logarithmic` names the axes that are: "", "x", "y" or "xy".
        """
        left, top, right, bottom = box
        axes = self.canvas.add_axes(
            (
                left / WIDTH,
                1 - bottom / self.height,
                (right - left) / WIDTH,
                (bottom - top) / self.height,
            )
        )
        axes.patch.set_visible(False)
        axes.set_axisbelow(True)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set(color=LINE, linewidth=1)
        axes.grid(axis="y", color=HAIR, linewidth=1)
        for axis, ticks, letter in ((axes.xaxis, x, "x"), (axes.yaxis, y, "y")):
            if letter in logarithmic:
                axes.set(**{f"{letter}scale": "log"})
            axis.set_ticks([at for at, _ in ticks], [words for _, words in ticks])
            axis.set_minor_locator(NullLocator())
            axis.set_minor_formatter(NullFormatter())
        axes.tick_params(length=0, pad=5, labelcolor=MUTED, labelsize=TEXT)
        axes.set(xlim=x_range, ylim=y_range)
        return axes

    def words(self, x: float, y: float, text: str, **more: Any) -> None:
        """Words whose baseline begins at a place."""
        more = {"color": INK, "ha": "left", "va": "baseline", **more}
        self.canvas.text(x / WIDTH, 1 - y / self.height, text, **more)

    def svg(self) -> str:
        """The sheet as matplotlib writes it."""
        FigureCanvasSVG(self.canvas)
        out = io.StringIO()
        self.canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        return out.getvalue()


def curve(axes: Axes, x: Sequence[float], y: Sequence[float], index: int, **more: Any) -> None:
    """A line in the color and with the dashes and marks of a series; `index` from 0 to 4."""
    style = {"linestyle": DASHES[index], "marker": MARKS[index], **more}
    axes.plot(
        x,
        y,
        color=SERIES[index],
        linewidth=2,
        markersize=6.5,
        markeredgewidth=1,
        markeredgecolor=PAPER,
        clip_on=False,
        **style,
    )


def theory(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """A thin dark line: what a formula gives."""
    axes.plot(x, y, color=INK, linewidth=1.25, linestyle="solid", zorder=1.5)


def label(axes: Axes, x: float, y: float, text: str, **more: Any) -> None:
    """Words beside a place among the data; further lines stand below the first."""
    more = {"color": INK, "ha": "left", "va": "center", **more}
    for number, line in enumerate(text.split("\n")):
        # matplotlib would write several lines as one group, with places of its own.
        below = (0, -LINE_PX * number)
        axes.annotate(
            line, (x, y), below, textcoords="offset points", annotation_clip=False, **more
        )


def rules() -> Any:
    """The settings under which a sheet is drawn, as a context: matplotlib's own are global."""
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **RULES}
    return mpl.rc_context(settings)
