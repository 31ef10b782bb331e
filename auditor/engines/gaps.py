"""What an engine is known to ignore of the policies that a cluster has.

Pure.  No verdict changes by it: what the API says stays what is expected.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.cluster.resources import FOREIGN_POLICIES
from auditor.engines.engine import Engine, Feature, Features, Remark
from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.flow import Direction, Protocol
from auditor.model.lint import ObjectRef
from auditor.model.policy import NetworkPolicy, Peer, PolicyPort
from auditor.model.rules import Match

IPV6 = 6


def unsupported(engine: Engine, snapshot: Snapshot) -> tuple[Remark, ...]:
    """Say, for each object, what the engine ignores of it, or may ignore; settings and oddities of the engine first."""
    features = engine.ways_in(snapshot).features
    found = [remark for policy in snapshot.policies for remark in _of_policy(policy, features)]
    others = [remark for item in snapshot.objects for remark in _of_object(item, features, engine.title)]
    return (*engine.remarks(snapshot), *found, *others)


def _of_policy(policy: NetworkPolicy, features: Features) -> Iterator[Remark]:
    where = ObjectRef("NetworkPolicy", policy.namespace, policy.name)
    if features.policies.works is Match.NO:
        yield _remark("enforcement", features.policies, where, "")
        return
    for direction in sorted(policy.isolates, key=lambda item: item.value):
        peers = "from" if direction is Direction.INGRESS else "to"
        for position, rule in enumerate(policy.rules(direction)):
            path = f"spec.{direction.value.lower()}[{position}]"
            for number, port in enumerate(rule.ports):
                yield from _of_port(port, features, where, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.peers):
                if features.ipv6.works is not Match.YES and _is_ipv6(peer):
                    yield _remark("ipv6", features.ipv6, where, f"{path}.{peers}[{number}].ipBlock")


def _of_port(port: PolicyPort, features: Features, where: ObjectRef, path: str) -> Iterator[Remark]:
    for topic, feature, field, used in (
        ("end-port", features.end_port, "endPort", port.end_port is not None),
        ("sctp", features.sctp, "protocol", port.protocol is Protocol.SCTP),
        ("named-port", features.named_ports, "port", isinstance(port.port, str)),
    ):
        if used and feature.works is not Match.YES:
            yield _remark(topic, feature, where, f"{path}.{field}")


def _is_ipv6(peer: Peer) -> bool:
    return peer.ip_block is not None and peer.ip_block.cidr.version == IPV6


def _remark(topic: str, feature: Feature, where: ObjectRef, path: str) -> Remark:
    return Remark(topic, feature.why, where, path, sure=feature.works is Match.NO)


def _of_object(item: PolicyObject, features: Features, title: str) -> Iterator[Remark]:
    kind = FOREIGN_POLICIES.get(item.resource)
    if kind is None or not kind.decides or item.resource in features.layers:
        return
    where = ObjectRef(item.kind, item.namespace, item.name)
    if item.resource in features.perhaps:
        text = f"whether {title} enforces this kind depends on its version and settings"
        yield Remark("layer", text, where, sure=False)
    else:
        yield Remark("layer", f"{title} does not enforce this kind: the object has no effect", where)
