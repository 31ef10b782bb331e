"""Runs that go on from the journals of earlier ones, in memory, for the tests of journals."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from auditor import __version__
from auditor.audit import run_audit
from auditor.model.journal import SCHEMA, Entry, Header, Marks
from auditor.model.options import Options
from auditor.past import Past, past_of
from auditor.recording import FIRST, deciding_options, decode, encode
from auditor.verdict import summarise
from tests import fakes
from tests.builders import Raw
from tests.fakes import FakeBackend, FakeCluster, by_model
from tests.unit.auditing import SHOP, WHOLE, Audited

RUN = "ab12cd"
STARTED = "2026-01-01T00:00:00Z"


@dataclass
class Notes:
    """A journal in memory: its lines."""

    options: Options = WHOLE
    lines: list[bytes] = field(default_factory=list)
    before: str = FIRST

    def begin(self, cluster: str, marks: Marks) -> None:
        self.write(Header(SCHEMA, __version__, RUN, cluster, STARTED, deciding_options(self.options), marks))

    def write(self, entry: Entry) -> None:
        line, self.before = encode(entry, self.before)
        self.lines.append(line)

    def now(self) -> str:
        return f"2026-01-01T00:00:{len(self.lines):02}Z"

    @property
    def past(self) -> Past:
        return past_of(decode(b"".join(self.lines)), RUN)


def noted(*twists: fakes.Twist, objects: Sequence[Raw] = SHOP, options: Options = WHOLE, **switches: Any) -> Notes:
    """The journal of a run."""
    journal = Notes(options)
    backend = FakeBackend(by_model(objects), twists, **switches)
    asyncio.run(run_audit(FakeCluster(objects), backend, options, fakes.ignore, journal=journal))
    return journal


def resumed(
    past: Past,
    *twists: fakes.Twist,
    objects: Sequence[Raw] = SHOP,
    later: Sequence[Raw] | None = None,
    **switches: Any,
) -> Audited:
    """A run that goes on from another."""
    backend = FakeBackend(by_model(objects), twists, **switches)
    material = asyncio.run(run_audit(FakeCluster(objects, later), backend, WHOLE, fakes.ignore, past=past))
    return Audited(material, summarise(material, WHOLE), backend)
