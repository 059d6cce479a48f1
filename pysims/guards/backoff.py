"""How long a client waits before it calls again: exponential backoff, and three kinds of jitter.

The wait doubles with each failed attempt, up to a cap. Clients that failed together and wait
equally long come back together, so jitter draws the wait at random from a range: all of it (full),
its upper half (equal), or up to three times the wait before (decorrelated).

Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, section "Adding Jitter";
`pow(2, attempt)` and the cap are those of the simulator that goes with it,
https://github.com/aws-samples/aws-arch-backoff-simulator. It counts the first wait as attempt 1;
here it is attempt 0, so that the first wait lies within the base.

Pure functions: the random number `u` is handed in, uniform in [0, 1). All waits are whole
milliseconds, and no float is multiplied, so the result is the same everywhere, for any size.

Simplified: the ranges of random numbers are rounded down to whole milliseconds.
"""

from __future__ import annotations


def exponential(attempt: int, base_ms: int, cap_ms: int) -> int:
    """The wait (ms) after failed attempt number `attempt`: `min(cap_ms, base_ms * 2**attempt)`.

    Attempts count from 0. `ValueError` for an attempt below 0, and for a base or cap below 1 ms.
    A cap below the base is the wait from the start.
    """
    _check_whole("attempt", attempt, 0, "")
    _check_whole("base_ms", base_ms, 1, " ms")
    _check_whole("cap_ms", cap_ms, 1, " ms")
    # Doubling once per binary digit of the cap is enough to reach it, however late the attempt.
    return min(cap_ms, base_ms << min(attempt, cap_ms.bit_length()))


def full_jitter(attempt: int, base_ms: int, cap_ms: int, u: float) -> int:
    """A wait (ms) from 0 to below that of `exponential`.

    `u` is uniform in [0, 1); `ValueError` for others, and as `exponential` says.
    """
    return _part(u, exponential(attempt, base_ms, cap_ms))


def equal_jitter(attempt: int, base_ms: int, cap_ms: int, u: float) -> int:
    """A wait (ms) of at least half of that of `exponential`, the other half drawn at random.

    `u` is uniform in [0, 1); `ValueError` for others, and as `exponential` says.
    """
    longest_ms = exponential(attempt, base_ms, cap_ms)
    half_ms = longest_ms // 2
    return longest_ms - half_ms + _part(u, half_ms)


def decorrelated_jitter(previous_ms: int, base_ms: int, cap_ms: int, u: float) -> int:
    """A wait (ms) from `base_ms` to below three times the wait before, but never above `cap_ms`.

    `previous_ms` is the client's last wait, and the base if this is its first. `u` is uniform in
    [0, 1). `ValueError` for others, for a previous wait below 0, and for a base or cap below 1 ms.
    """
    _check_whole("previous_ms", previous_ms, 0, " ms")
    _check_whole("base_ms", base_ms, 1, " ms")
    _check_whole("cap_ms", cap_ms, 1, " ms")
    range_ms = max(0, 3 * previous_ms - base_ms)
    return min(cap_ms, base_ms + _part(u, range_ms))


def _part(u: float, whole: int) -> int:
    """`u * whole`, exactly, rounded down."""
    if not 0 <= u < 1:
        raise ValueError(f"u must be from 0 to below 1, got {u!r}")
    numerator, denominator = float(u).as_integer_ratio()
    return numerator * whole // denominator


def _check_whole(name: str, value: int, lowest: int, unit: str) -> None:
    if type(value) is not int or value < lowest:
        raise ValueError(f"{name} must be an integer of {lowest}{unit} or more, got {value!r}")
