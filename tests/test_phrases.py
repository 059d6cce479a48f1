"""Numbers and names in words."""

from __future__ import annotations

import pytest

from pysims.phrases import listed, many, percent


def test_names_stand_in_a_row() -> None:
    assert [listed("ABC"[:count]) for count in (0, 1, 2, 3)] == [
        "nobody",
        "A",
        "A and B",
        "A, B and C",
    ]
    assert listed("AB", last="or") == "A or B"
    assert listed((), nobody="none") == "none"


def test_a_noun_follows_its_number() -> None:
    assert [many(count, "vote") for count in (0, 1, 2)] == ["0 votes", "1 vote", "2 votes"]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.001, "0.1 %"),
        (0.0994, "9.9 %"),
        (0.0996, "10 %"),
        (0.254, "25 %"),
        (1, "100 %"),
    ],
)
def test_small_shares_keep_a_decimal(share: float, text: str) -> None:
    assert percent(share) == text
