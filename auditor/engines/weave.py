"""Weave Net, which is no longer maintained."""

from __future__ import annotations

from auditor.engines.engine import Engine, Feature, Features, Marks, Ways
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

SWITCH = "its policy controller can be switched off (EXPECT_NPC)"
ENGINE = Engine(
    "weave",
    "Weave Net",
    Marks(daemon_sets=frozenset({"weave-net"})),
    Ways(Features(policies=Feature(Match.UNKNOWN, SWITCH)), Dialect("weave")),
)
