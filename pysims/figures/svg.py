"""From matplotlib's SVG to one that can stand in a page: small, named, styled by classes.

What matplotlib writes is a document: it has fixed sizes and colors, styles in attributes, ids that
two figures may share, and fonts by name. Here it becomes an element whose colors are classes, whose
ids begin with the figure's own, and which is told what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from .ink import CLASSES

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
# What a style says that the style sheet, or the element around it, says already.
NEEDLESS = frozenset({"font", "font-family", "font-style", "font-variant", "font-weight"})
NEEDLESS_VALUES = frozenset(
    {("stroke-linecap", "butt"), ("stroke-linejoin", "round"), ("stroke-opacity", "1")}
)
NUMBER = re.compile(r"-?\d+\.\d+")


def page_svg(written: str, element_id: str, title: str, description: str) -> str:
    """Matplotlib's document as an element of a page; `element_id` begins all of its ids."""
    root = ET.fromstring(written)  # noqa: S314  # matplotlib wrote it a moment ago
    _, _, width, height = root.attrib["viewBox"].split()
    for part in list(root):
        if part.tag == f"{SVG}metadata" or part.find(f"{SVG}style") is not None:
            root.remove(part)
    unclip(root)
    rename(root, element_id)
    for part in root.iter():
        restyle(part)
    root.attrib.clear()
    root.attrib.update(
        {
            "class": "fig-svg",
            "viewBox": f"0 0 {float(width):g} {float(height):g}",
            "role": "img",
            "aria-labelledby": f"{element_id}-title {element_id}-desc",
            "xmlns:xlink": XLINK[1:-1],
        }
    )
    flatten(root)
    for name, words in (("desc", description), ("title", title)):
        said = ET.Element(name, id=f"{element_id}-{name}")
        said.text = words
        root.insert(0, said)
    for part in root.iter():
        part.tag = part.tag.removeprefix(SVG)
        part.tail = None
    return ET.tostring(root, encoding="unicode")


def unclip(root: ET.Element) -> None:
    """Cut nothing off: figures draw inside of their axes, and a mark may lie on their edge."""
    for part in root.iter():
        part.attrib.pop("clip-path", None)
        for child in [child for child in part if child.tag == f"{SVG}clipPath"]:
            part.remove(child)


def rename(root: ET.Element, prefix: str) -> None:
    """Give new ids, in their order, to what is referred to, and take those of all others away."""
    used = {part.get(f"{XLINK}href", "#")[1:] for part in root.iter()} - {""}
    names: dict[str, str] = {}
    for part in root.iter():
        old = part.attrib.pop("id", "")
        if old in used:
            names[old] = f"{prefix}-{len(names) + 1}"
            part.attrib["id"] = names[old]
    for part in root.iter():
        target = part.attrib.pop(f"{XLINK}href", None)
        if target is not None:
            # Material's instant navigation writes to `href` of whatever has such an attribute, and
            # that of an SVG's element cannot be written to; this name it does not see.
            part.attrib["xlink:href"] = f"#{names[target[1:]]}"


def restyle(part: ET.Element) -> None:
    """Colors become classes, other styles attributes, and numbers as short as a screen shows."""
    classes = []
    for name, value in styles(part.attrib.pop("style", "")):
        if value in CLASSES:
            classes.append(CLASSES[value][0 if name == "fill" else 1])
        elif name not in NEEDLESS and (name, value) not in NEEDLESS_VALUES:
            part.attrib[name] = shortened(value)
    if part.tag == f"{SVG}text":
        part.attrib.pop("font-size", None)
        classes.insert(0, "fig-text")
        if part.attrib.get("transform", "").startswith("rotate(-0 "):
            del part.attrib["transform"]
    if classes:
        part.attrib["class"] = " ".join(classes)
    for name in ("d", "x", "y", "width", "height", "transform"):
        if name in part.attrib:
            part.attrib[name] = shortened(" ".join(part.attrib[name].split()))


def styles(text: str) -> Iterator[tuple[str, str]]:
    for declaration in filter(None, text.split(";")):
        name, _, value = declaration.partition(":")
        yield name.strip(), value.strip()


def shortened(text: str) -> str:
    """The text with its numbers to two decimals."""
    return NUMBER.sub(lambda number: f"{round(float(number[0]), 2) + 0:g}", text)


def flatten(part: ET.Element) -> None:
    """Take away groups that say nothing, and empty ones."""
    children: list[ET.Element] = []
    for child in part:
        flatten(child)
        if child.tag == f"{SVG}g" and not child.attrib:
            children.extend(child)
        elif child.tag not in (f"{SVG}g", f"{SVG}defs") or len(child) > 0:
            children.append(child)
    if part.tag != f"{SVG}text":
        part.text = None
    part[:] = children
