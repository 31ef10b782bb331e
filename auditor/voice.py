"""Standard error for a command that has to finish its work whether or not anybody still listens, and standard output.

Where they are closed from the start (`>&-`), Python has none.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import IO, Any, TextIO

from auditor.errors import OutputRefused


class Voice:
    """A text stream that falls silent where the one below it breaks: its terminal was closed, its pipe has no reader.

    An error of a write would come up wherever something is said, in the midst of a clean-up too.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """Speak through `stream`, to nobody where there is none."""
        self._stream = io.StringIO() if stream is None else stream

    def __getattr__(self, name: str) -> Any:
        """Be like the stream in all the rest: whether it is a terminal, how it encodes."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Say something, if there is somebody to hear it."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            _hush(self._stream)
        return len(text)

    def flush(self) -> None:
        """Say what is held back."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _hush(self._stream)


class Outlet:
    """A stream of text or bytes that raises OutputRefused where nothing can be written to the one below it.

    That nobody reads to the end is no such case, and stays BrokenPipeError.
    """

    def __init__(self, stream: IO[Any] | None) -> None:
        """Write to `stream`, if there is one."""
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a glyph still gets the words.
            stream.reconfigure(errors="replace")

    def __getattr__(self, name: str) -> Any:
        """Be like the stream in all the rest; where there is none, like one that is no terminal."""
        return getattr(io.StringIO() if self._stream is None else self._stream, name)

    @property
    def buffer(self) -> Outlet:
        """The same for bytes."""
        return Outlet(self._stream and getattr(self._stream, "buffer", None))

    def writable(self) -> bool:
        """Whether there is anything to write to."""
        return self._stream is not None

    def write(self, data: str | bytes) -> int:
        """Write it, or hold it back until it is flushed."""
        return self._done("write", data) or len(data)

    def flush(self) -> None:
        """Write what is held back."""
        self._done("flush")

    def _done(self, what: str, *data: str | bytes) -> int | None:
        if self._stream is None:
            if not data:
                return None
            raise OutputRefused("it is closed")
        try:
            found: int | None = getattr(self._stream, what)(*data)
        except OSError as error:
            _hush(self._stream)
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputRefused(error.strerror or str(error)) from error
        return found


def _hush(stream: IO[Any]) -> None:
    # What is held back would fail again at the end of the process and change its exit code.
    with suppress(OSError, ValueError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, stream.fileno())
        os.close(sink)
