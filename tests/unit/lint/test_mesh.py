"""Ports that an ambient mesh hides from policies."""

from __future__ import annotations

import pytest

from tests.builders import Raw, allow, namespace, policy, selector, tcp
from tests.unit.lint.linting import SHOP, found, one

HIDDEN = "ports-hidden-by-mesh"
AMBIENT = namespace("shop", **{"istio.io/dataplane-mode": "ambient"})
ON_80 = policy("shop/in", selector(app="web"), ingress=[allow(), allow(ports=[tcp(80)])])


def into(*ports: Raw, **more: str) -> Raw:
    return policy("shop/in", selector(app="web"), ingress=[allow(ports=ports)])


def test_ports_in_an_ambient_mesh() -> None:
    finding = one(HIDDEN, *SHOP, AMBIENT, into(tcp(80)))

    assert finding.path == "spec.ingress[0].ports"
    assert "15008" in finding.message


@pytest.mark.parametrize(
    "objects",
    [
        (into(tcp(80)),),
        (namespace("shop", **{"istio.io/dataplane-mode": "none"}), into(tcp(80))),
        (AMBIENT, into(tcp(80), tcp(15008))),
        (AMBIENT, into(tcp(15000, 15100))),
        (AMBIENT, into(tcp(80)), policy("shop/tunnel", ingress=[allow(ports=[tcp(15008)])])),
        (AMBIENT, ON_80),
        (AMBIENT, policy("shop/out", egress=[allow(ports=[tcp(80)])], types=["Egress"])),
        (AMBIENT, policy("shop/in", selector(app="gone"), ingress=[allow(ports=[tcp(80)])])),
    ],
    ids=["no mesh", "not this one", "allowed", "range", "by another", "any port", "egress", "selects nothing"],
)
def test_ports_that_show(objects: tuple[Raw, ...]) -> None:
    assert found(HIDDEN, *SHOP, *objects) == ()
