"""The counters and the tallies by themselves, against dumb twins."""

from hypothesis import given
from hypothesis import strategies as st

from pysims.kernel import Series
from pysims.patterns.distributed_rate_limiter.counters import NEVER, NO_KEY, Key, SyncCounter
from pysims.patterns.distributed_rate_limiter.tally import Tally, waits_of


def test_a_key_lives_until_its_window_ends_and_not_a_moment_longer() -> None:
    key = NO_KEY.holding(1, 2_500, 1_000)
    assert key == Key(1, 3_000, 2)
    assert key.at(2_999) == key
    assert key.at(3_000) == NO_KEY
    assert key.holding(2, 2_999, 1_000) == Key(2, 3_000, 2)


def test_a_key_without_an_end_stays_until_it_is_given_one() -> None:
    key = NO_KEY.holding(1, 2_500, 1_000, lives=False)
    assert key.expires_ms == NEVER
    assert key.at(10**9) == key
    assert key.expiring(2_700, 1_000).at(3_000) == NO_KEY
    assert NO_KEY.expiring(2_700, 1_000) == NO_KEY


def test_a_sync_counter_confirms_what_was_pushed_and_keeps_what_came_since() -> None:
    counter = SyncCounter(window=3, unsent=4).pushing(100)
    assert (counter.pushed, counter.push, counter.total) == (4, 1, 4)
    counter = SyncCounter(3, 0, 6, counter.pushed, 100, counter.push, True)
    heard = counter.hearing(1, 30)
    assert (heard.known, heard.unsent, heard.total) == (30, 2, 32)
    # The answer to an older push says what the total was, and confirms nothing.
    again = heard.pushing(200)
    assert again.hearing(1, 20).total == 32
    assert again.hearing(2, 40).total == 40
    assert again.hearing(2, 40).hearing(2, 40).unsent == 0
    assert again.at(4).total == 0
    assert again.at(4).push == again.push


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.booleans()), max_size=60),
    st.integers(1, 6),
)
def test_a_tally_counts_as_somebody_with_a_list_of_all_decisions_would(
    steps: list[tuple[bool, int, bool]], limit: int
) -> None:
    tally, now_ms = Tally(Series(50)), 0
    through: list[int] = []
    over = wrong = refused = 0
    for allowed, pause_ms, late in steps:
        now_ms += pause_ms
        # A decision may belong to the window before the newest.
        window = max(0, now_ms // 100 - late)
        before = through.count(window)
        tally = tally.decided(allowed, window, limit, now_ms)
        if allowed:
            through.append(window)
            over += before >= limit
        else:
            refused += 1
            wrong += before < limit
    assert tally.admitted_total == len(through)
    assert tally.worst == max((through.count(w) for w in through), default=0)
    assert (tally.over, tally.wrong, tally.refused_total) == (over, wrong, refused)
    assert tally.series.total() == len(through)
    newest = now_ms // 100
    for window in range(max(0, tally.window - 1), tally.window + 1):
        assert tally.admitted_in(window) == through.count(window)
    assert tally.admitted_in(newest + 1) == 0


def test_a_refusal_is_right_if_those_under_way_use_up_the_limit() -> None:
    tally = Tally(Series(50)).decided(True, 0, 3, 0)
    assert tally.decided(False, 0, 3, 1, under_way=1).wrong == 1
    assert tally.decided(False, 0, 3, 1, under_way=2).wrong == 0


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=80),
    st.sampled_from([0.5, 0.9, 0.99, 1.0]),
    st.sampled_from([20, 100, 300]),
)
def test_waits_are_known_to_a_bin(waits_ms: list[int], share: float, timeout_ms: int) -> None:
    waits_ms = [min(each, timeout_ms) for each in waits_ms]
    waits = waits_of(timeout_ms)
    for each in waits_ms:
        waits = waits.add(each)
    assert waits.number == len(waits_ms)
    assert abs(waits.mean_ms - sum(waits_ms) / len(waits_ms)) < 1e-9
    found = waits.within_ms(share)
    exact = next(
        value
        for value in sorted(waits_ms)
        if sum(other <= value for other in waits_ms) >= share * len(waits_ms)
    )
    assert exact <= found < exact + waits.bin_ms
    assert found <= max(waits_ms)


def test_before_the_first_wait_there_is_none() -> None:
    assert waits_of(100).within_ms(0.99) == waits_of(100).mean_ms == 0
