"""Which words of a sentence are numbers, and what they are worth.

The rule. A number is

- a numeral: `7`, `6,550`, `99.9`, also at the head of a unit (`17.2M`);
- a word for eleven or more (`twenty-five`, `a hundred`, `dozen`, `million`), since the words up to
  ten mostly count what stands before the reader's eyes (“two leaders”, “three steps”);
- a word up to ten before *percent* or *times* (“ten percent”, “five times”), a fraction, and
  *twice* where it compares (`half`, `two thirds`, `a fiftieth`, “twice as many”), which measure.

No number is a name that has one in it (`S1`, `MD5`, `p99`, `2PC`, `HTTP/2`), an exponent or index
in small type (`2¹⁴`), or a label: “question 3”, “order 1”, “term 2”, “reader 1”, “§5.1”. A figure's
number is a label too, which is held against the figures of its page. *Half* as a manner or a place
(“half done”, “the second half”) measures nothing, and “told twice” counts like other small words.
A time of day is one number: `9:37`.
"""

from __future__ import annotations

import re
from fractions import Fraction

UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90,
}  # fmt: skip
SCALES = {
    "dozen": 12, "hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9,
    "trillion": 10**12,
}  # fmt: skip
PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "twelfth": 12, "twentieth": 20, "thirtieth": 30, "fiftieth": 50,
    "hundredth": 100, "thousandth": 1_000,
}  # fmt: skip
FOLDS = {"twice": 2, "threefold": 3, "tenfold": 10}

SMALL = "|".join(list(UNITS)[:11])
COUNTS = "|".join([*UNITS, *TENS])
LARGE = "|".join([*list(UNITS)[11:], *TENS])
SCALE = "|".join(SCALES)
# “third” and “quarter” are mostly an order or a place; they are parts behind a word that counts.
PART = "|".join(word for word in PARTS if word not in ("half", "third", "quarter"))
NUMERAL = r"\d+(?:,\d{3})*(?:\.\d+)?"
SMALL_TYPE = "⁰¹²³⁴-⁹ⁿᵏ"
CLOCK = r"\d{1,2}(?::\d\d){1,2}"

FIGURE = (
    r"\b[Ff]igures\s\d+(?:(?:,\s|\sto\s|\sand\s|\sor\s|,\sand\s)\d+)*\b(?!\.\d)"
    r"|\b[Ff]igure\s\d+\b(?!\.\d)"
)
NAMES = re.compile(
    r"\b(?:2PC|3PC|5xx|4xx|2f|2D)\b"
    r"|\bHTTP/\d(?:\.\d)?|\bIPv\d\b|\b0x\w+"
    r"|§\s?\d+(?:\.\d+)*(?:\s?[–-]\s?\d+(?:\.\d+)*)?"
    r"|\b(?:RFC|KIP|STS|UTF|GA|RR|X\.|I\.)[ -]?\d+\b"
    rf"|{FIGURE}"
    r"|\b(?i:question|order|term|reader|step|entry|index|ticket|rule|writer|customer|client|layer"
    r"|task|seat)s?"
    r"\s\d+(?:(?:,\s|\sto\s|\sand\s|\sor\s)\d+)*\b(?![.,]\d)"
    r"|\b[Hh]alf[- ](?:done|open|filled|finished|dead|asleep|closed|applied|written|way)\b"
    r"|\b(?:first|second|other|only|failed|C|E) half\b"
)
NUMBER = re.compile(
    rf"""(?<![\w.])(?:{CLOCK}|{NUMERAL}[ ](?:{SCALE})\b|{NUMERAL}(?=[kMB]?\b|[{SMALL_TYPE}]|\W|\Z))
    | \b(?:(?:{SMALL}|a|one)[ ](?:and[ ]a[ ])?)?half\b(?![ ]of\b[ ]this)
    | \b(?:(?:{COUNTS}|a|an)[ -])?(?:{COUNTS})?[ -]?(?:{SCALE})s?(?:[ ](?:{SCALE})s?)*
        (?:[ ](?:and[ ])?(?:{COUNTS})(?:-(?:{SMALL}))?\b(?![ ](?:{SCALE})))?\b
    | \b(?:{LARGE})(?:-(?:{SMALL}))?\b
    | \b(?:{SMALL})(?=[ ](?:percent\b|times\b))
    | \b(?:{SMALL})[ -](?:thirds|quarters|(?:{PART})s)\b
    | \b(?:a|an|one|the)[ -](?:third|quarter)(?=[ ](?:of|as)\b|[,.)])
    | \b(?:(?:a|an|one)[ -])?(?:{PART})(?=[ ](?:of|as)\b|[,.)])
    | \b(?:twice(?=[ ](?:as|that|the|its|their|this)\b)|threefold|tenfold)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers of a sentence without markup, as they are written, in their order."""
    bare = NAMES.sub(lambda name: "\N{REPLACEMENT CHARACTER}" * len(name[0]), text)
    return tuple(" ".join(found[0].lower().split()) for found in NUMBER.finditer(bare))


def figures_in(text: str) -> tuple[int, ...]:
    """The figures that a sentence names by their numbers, those between first and last included."""
    named: list[int] = []
    for name in re.findall(FIGURE, text):
        places = [int(place) for place in re.findall(r"\d+", name)]
        named += [*(range(places[0], places[-1]) if " to " in name else ()), *places]
    return tuple(dict.fromkeys(named))


def without_figures(text: str) -> str:
    """A sentence with # for the numbers of figures."""
    return re.sub(FIGURE, lambda name: re.sub(r"\d+", "#", name[0]), text)


def worth(number: str) -> Fraction:
    """What a number is worth: `6,550`, `1.2 million`, `two hundred`, `half`; `9:37` in minutes.

    `ValueError` for what is no number.
    """
    if re.fullmatch(CLOCK, number):
        hours, minutes, *seconds = map(int, number.split(":"))
        return Fraction(3_600 * hours + 60 * minutes + sum(seconds), 60)
    total, count = Fraction(0), Fraction(0)
    for word in re.split(r"[ -]", number.lower()):
        kind, value = value_of(word)
        if kind == "count" or (kind == "part" and "and" in number):
            count += value
        elif kind == "part":
            count = (count or 1) * value
        elif kind == "scale" and value > 100:
            total, count = total + (count or 1) * value, Fraction(0)
        elif kind == "scale":
            count = (count or 1) * value
    return total + count


def value_of(word: str) -> tuple[str, Fraction]:
    """What a word of a number does, and its value; `ValueError` if it is none."""
    single = word.removesuffix("s") if word not in UNITS else word
    if re.fullmatch(NUMERAL, word):
        return "count", Fraction(word.replace(",", ""))
    for kind, values in (("count", UNITS), ("count", TENS), ("scale", SCALES), ("count", FOLDS)):
        if single in values:
            return kind, Fraction(values[single])
    if single in PARTS:
        return "part", Fraction(1, PARTS[single])
    if word in ("a", "an", "the", "and"):
        return "filler", Fraction(0)
    raise ValueError(f"{word!r} is no number")
