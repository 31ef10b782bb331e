"""An event loop whose clock jumps: minutes of waiting pass at once, and equally long on every machine."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime, timedelta

START = datetime(2030, 1, 1, tzinfo=UTC)


class JumpingSelector(selectors.SelectSelector):
    """Never waits: where nothing is to be read, the time is simply over."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        assert ready or timeout is not None, "everybody waits and nothing will ever happen"
        self.now += 0.0 if ready or timeout is None else max(0.0, timeout)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which only waiting takes time."""

    def __init__(self) -> None:
        self._jumps = JumpingSelector()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now


def clock() -> datetime:
    """The time of day in the loop that runs."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())
