"""The garbage collector, kept out of the way while many objects are made at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect nothing inside: a snapshot is all alive, and looking through it again and again doubles the time.

    May be nested; whoever goes on to work on the snapshot spans it over that too.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
