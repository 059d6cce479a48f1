"""The guards at the gate, as values: limiters, breakers, delays before a retry, budgets of retries.

Each is a frozen dataclass or a function: whoever asks hands in the time, as integer milliseconds,
and the random numbers, and gets the next guard back. Nothing here sleeps, waits or knows a clock.
The patterns run them, and several share them.
"""
