"""Namespaces whose traffic a mesh carries on a port of its own, so that policies by port do not see what they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from auditor.lint.case import Case, Hit, Lint
from auditor.model.flow import Direction, Protocol
from auditor.model.lint import LintSeverity
from auditor.model.words import plural

MODE, AMBIENT = "istio.io/dataplane-mode", "ambient"
TUNNEL: Final = 15008
"""HBONE: all traffic between pods of the mesh arrives here."""


def hidden_ports(case: Case) -> Iterator[Hit]:
    """NetworkPolicies that allow some ports to pods of an ambient mesh, and not that of its tunnel."""
    for name, views in case.by_namespace.items():
        home = case.namespaces.get(name)
        if home is None or home.labels.get(MODE) != AMBIENT:
            continue
        rules = [rule for view in views for rule in view.rules_of(Direction.INGRESS)]
        tunnelled = 0
        for rule in rules:
            ports = [term for item in rule.clause.ports for term in item.terms]
            if not ports or any(
                term.protocol is Protocol.TCP and not term.name and term.first <= TUNNEL <= term.last for term in ports
            ):
                tunnelled |= rule.subject
        for rule in rules:
            hidden = rule.subject & ~tunnelled
            if hidden and rule.clause.ports:
                yield Hit(
                    rule.of.object,
                    f"{rule.path}.ports",
                    f"allows ports that do not show: in an ambient mesh pods talk to each other on {TUNNEL}",
                    (
                        f"namespace {name} has {MODE}={AMBIENT}",
                        f"no rule allows TCP {TUNNEL} to {plural(case.crowd.count(hidden), 'pod')} that it selects",
                    ),
                    f"allow TCP {TUNNEL} as well, and limit ports by the mesh's own policies",
                    f"{rule.path}:mesh",
                )


HIDDEN_PORTS = Lint("ports-hidden-by-mesh", "ports that a mesh hides from policies", LintSeverity.WARNING, hidden_ports)
