"""Rules and specs that Calico would refuse: an error that says where, and never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.fields import FieldError
from tests.calico import policy, rule, translated

BROKEN: dict[str, Any] = {
    "no action": {},
    "null action": {"action": None},
    "small action": rule("allow"),
    "strange action": rule("Reject"),
    "number as action": {"action": 1},
    "protocol name": rule(protocol="tcp"),
    "protocol zero": rule(protocol=0),
    "protocol 256": rule(protocol=256),
    "protocol with sign": rule(protocol="+6"),
    "protocol in other digits": rule(protocol="٦"),
    "protocol true": rule(protocol=True),
    "protocol list": rule(protocol=["TCP"]),
    "protocol fraction": rule(protocol=6.0),
    "not protocol": rule(notProtocol="X"),
    "version 5": rule(ipVersion=5),
    "version text": rule(ipVersion="4"),
    "source text": rule(source="all()"),
    "source list": rule(source=[]),
    "selector list": rule(source={"selector": ["a"]}),
    "selector grammar": rule(source={"selector": "a = 'b'"}),
    "not selector grammar": rule(source={"notSelector": "has("}),
    "namespace grammar": rule(source={"namespaceSelector": "a"}),
    "global selector": rule(source={"selector": "global()"}),
    "global not selector": rule(source={"notSelector": "has(a) || global()"}),
    "nets text": rule(source={"nets": "10.0.0.0/8"}),
    "nets number": rule(source={"nets": [10]}),
    "nets word": rule(source={"nets": ["everyone"]}),
    "nets too long": rule(source={"nets": ["10.0.0.0/33"]}),
    "nets mask": rule(source={"nets": ["10.0.0.0/255.0.0.0"]}),
    "not nets": rule(source={"notNets": [""]}),
    "accounts list": rule(source={"serviceAccounts": ["a"]}),
    "accounts strange": rule(source={"serviceAccounts": {"name": "a"}}),
    "accounts names": rule(source={"serviceAccounts": {"names": "a"}}),
    "accounts grammar": rule(source={"serviceAccounts": {"selector": "("}}),
    "service text": rule(source={"services": "web"}),
    "service empty": rule(source={"services": {}}),
    "service strange": rule(source={"services": {"name": "web", "port": 1}}),
    "domains": rule(destination={"domains": "example.com"}),
    "ports without protocol": rule(destination={"ports": [80]}),
    "not ports without protocol": rule(destination={"notPorts": [80]}),
    "source ports without protocol": rule(source={"ports": [80]}),
    "ports text": rule(protocol="TCP", destination={"ports": "80"}),
    "ports zero": rule(protocol="TCP", destination={"ports": [0]}),
    "ports from zero": rule(protocol="TCP", destination={"ports": ["0:10"]}),
    "ports too large": rule(protocol="TCP", destination={"ports": [65536]}),
    "ports too large text": rule(protocol="TCP", destination={"ports": ["99999"]}),
    "ports huge": rule(protocol="TCP", destination={"ports": [10**30]}),
    "ports negative": rule(protocol="TCP", destination={"ports": [-1]}),
    "ports backwards": rule(protocol="TCP", destination={"ports": ["10:9"]}),
    "ports with dash": rule(protocol="TCP", destination={"ports": ["10-20"]}),
    "ports true": rule(protocol="TCP", destination={"ports": [True]}),
    "ports null": rule(protocol="TCP", destination={"ports": [None]}),
    "ports fraction": rule(protocol="TCP", destination={"ports": [80.5]}),
    "ports name": rule(protocol="TCP", destination={"ports": ["Not A Name"]}),
    "ports empty": rule(protocol="TCP", destination={"ports": [""]}),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("where", ["red/p", "g"])
def test_rule_that_calico_would_refuse(name: str, where: str) -> None:
    with pytest.raises(FieldError) as caught:
        translated(policy(where, egress=[rule(), BROKEN[name]]))

    assert str(caught.value).startswith("egress[1]: ")
    assert len(str(caught.value)) < 200


def test_service_without_namespace_in_a_global_policy() -> None:
    with pytest.raises(FieldError, match=r"egress\[0\]: destination: services: a Service without a name, or without"):
        translated(policy("g", egress=[rule(destination={"services": {"name": "web"}})]))


@pytest.mark.parametrize("rules", ["all", {"action": "Allow"}, [None], ["Allow"], [[]], 1])
def test_rules_that_are_no_list_of_objects(rules: Any) -> None:
    with pytest.raises(FieldError, match="spec: ingress"):
        translated(policy("red/p", ingress=rules))
