"""Which answers of an API server pass, and how long to wait before the next try.

Pure.  Full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): clients that failed together do not come back
together.
"""

from __future__ import annotations

RETRIES = 6
"""Tries of one request after the first."""
FAULTY = 500
FAULTY_EXECS = 2
"""Tries of an exec after an internal error, which mostly says that the container is gone."""
PASSING = frozenset({429, FAULTY, 502, 503, 504})
LONGEST_ASKED = 30.0
"""Seconds that a server may ask us to wait before the next try."""
FIRST, LONGEST = 0.5, 10.0
"""Seconds that a pause may take at most: before the second try, and before any."""


def may_pass(status: int, attempt: int, *, executes: bool = False) -> bool:
    """Whether to try again after the answer to the try of that number, counted from 0."""
    most = FAULTY_EXECS if executes and status == FAULTY else RETRIES
    return status in PASSING and attempt < most


def pause(attempt: int, retry_after: str | None, chance: float) -> float:
    """Seconds to wait after the try of that number; `chance` is from 0 to 1, what the server asks for comes on top."""
    asked = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0
    backoff: float = min(LONGEST, FIRST * 2**attempt)
    return min(asked, LONGEST_ASKED) + chance * backoff
