"""Terway, of Alibaba Cloud."""

from __future__ import annotations

from auditor.engines.engine import Engine, Feature, Features, Marks, Ways
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

SWITCH = "policies are off by default (disable_network_policy), and nodes with exclusive interfaces never enforce them"
ENGINE = Engine(
    "terway",
    "Terway",
    Marks(daemon_sets=frozenset({"terway-eni", "terway-eniip"}), settings=frozenset({"kube-system/eni-config"})),
    Ways(Features(policies=Feature(Match.UNKNOWN, SWITCH)), Dialect("terway")),
)
