"""Standard error for a command that has to finish its work whether or not anybody still listens."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, TextIO


class Voice:
    """A text stream that falls silent where the one below it breaks: its terminal was closed, its pipe has no reader.

    An error of a write would come up wherever something is said, in the midst of a clean-up too.
    """

    def __init__(self, stream: TextIO) -> None:
        """Speak through `stream`."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Be like the stream in all the rest: whether it is a terminal, how it encodes."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Say something, if there is somebody to hear it."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            self._fall_silent()
        return len(text)

    def flush(self) -> None:
        """Say what is held back."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._fall_silent()

    def _fall_silent(self) -> None:
        # What is held back would fail again at the end of the process and change its exit code.
        with suppress(OSError, ValueError):
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, self._stream.fileno())
            os.close(sink)
