"""kindnet, of kind and of some minikube clusters."""

from __future__ import annotations

from auditor.engines.engine import Engine, Feature, Features, Marks, Ways
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

OLD = "images from before 2024-08-13 (kind 0.24) enforce nothing"
ENGINE = Engine(
    "kindnet",
    "kindnet",
    Marks(daemon_sets=frozenset({"kindnet"})),
    Ways(Features(policies=Feature(Match.UNKNOWN, OLD)), Dialect("kindnet")),
)
