"""Who a run is, and how and when it was made."""

from __future__ import annotations

import secrets
import shlex
import string
from collections.abc import Sequence
from datetime import UTC, datetime

from auditor import __version__
from auditor.model.options import Options
from auditor.model.report import Run

ALPHABET = string.ascii_lowercase + string.digits


def record(options: Options, name: str, agent: str, started: datetime, words: Sequence[str]) -> Run:
    """How a run that ends now was made."""
    finished = now()
    return Run(
        id=name,
        version=__version__,
        started=stamp(started),
        finished=stamp(finished),
        mode=options.mode.value,
        image=options.image,
        agent=agent,
        settle_seconds=options.settle,
        tries=options.tries,
        connect_timeout_seconds=options.connect_timeout,
        rounds=0,
        seconds=round((finished - started).total_seconds(), 1),
        command=shlex.join(["netaudit", *words]),
        allowed=list(options.allow),
        coverage=options.coverage.value,
        seed=options.seed,
        enforce_time=options.enforce_time,
        targets=options.targets.value,
        sandbox=options.sandbox,
        fault=options.fault,
    )


def word(length: int) -> str:
    """A new secret of lower-case letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A time as RFC 3339 writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
