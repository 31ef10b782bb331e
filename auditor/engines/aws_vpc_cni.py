"""The AWS VPC CNI with its network policy agent, which is off until two switches are on."""

from __future__ import annotations

from auditor.engines.engine import Engine, Feature, Features, Marks, Ways, kinds_of
from auditor.model.dialect import Dialect
from auditor.model.rules import Match

GROUP = "networking.k8s.aws"
SWITCHES = "policies are enforced only where both the controller and the node agent are told to (enable-network-policy)"
ENGINE = Engine(
    "aws_vpc_cni",
    "AWS VPC CNI",
    Marks(daemon_sets=frozenset({"aws-node"}), groups=frozenset({GROUP})),
    Ways(
        Features(
            policies=Feature(Match.UNKNOWN, SWITCHES),
            ipv6=Feature(Match.UNKNOWN, "a cluster has one address family, and rules of the other one are ignored"),
            perhaps=kinds_of(GROUP),
        ),
        Dialect("aws_vpc_cni"),
    ),
)
