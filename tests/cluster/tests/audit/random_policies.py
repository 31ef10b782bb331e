"""Random policies over twenty identities and ten ports, and who gets through where which node enforces them.

What gets through is told by the oracle, which shares no code with netaudit's model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from tests import oracle
from tests.cluster.tests.audit.site import Object, namespace, pod, policy

HOMES = ("red", "green", "blue", "grey")
PODS, POLICIES = 20, 50
PORTS = tuple(range(8001, 8011))
LABELS: Mapping[str, Sequence[str]] = {"app": ("a", "b", "c"), "tier": ("x", "y")}
BLOCKS = (
    {"cidr": "0.0.0.0/0"},
    {"cidr": "0.0.0.0/0", "except": ["198.18.1.0/24"]},
    {"cidr": "198.18.2.0/24"},
    {"cidr": "203.0.113.0/24"},
)
"""Everything, pods of one node or another among it, and the outside alone."""
OURS = ("netaudit-ctl-1", "netaudit-ctl-2")


def draw(seed: int) -> list[Object]:
    """Namespaces, pods that each are an identity of their own, and policies; the same for the same seed."""
    random = Random(seed)  # noqa: S311 - nothing is kept secret by it
    homes = [namespace(name, team=random.choice(("one", "two"))) for name in HOMES]
    pods = [_pod(random, number) for number in range(PODS)]
    return [*homes, *pods, *(_policy(random, number) for number in range(POLICIES))]


def _pod(random: Random, number: int) -> Object:
    labels = {key: random.choice(values) for key, values in LABELS.items() if random.random() < 0.8}
    made = pod(HOMES[number % len(HOMES)], f"p{number}", f"n{1 + number % 2}", {"id": f"p{number}", **labels}, PORTS)
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1m", "memory": "1Mi"}}
    return made


def _policy(random: Random, number: int) -> Object:
    """One of a pod's own, so that no two pods are alike to all policies, or one of whatever labels come up."""
    mine = {"matchLabels": {"id": f"p{number}"}} if number < PODS else None
    home = HOMES[number % len(HOMES)] if mine else random.choice(HOMES)
    made = policy(home, f"policy-{number}", {})
    spec = made["spec"]
    as_peer = mine is not None and random.random() < 0.5
    spec["podSelector"] = mine if mine and not as_peer else _selector(random, empty=0.05)
    spec["policyTypes"] = random.choice((["Ingress"], ["Ingress"], ["Egress"], ["Ingress", "Egress"]))
    for way in spec["policyTypes"]:
        end = "from" if way == "Ingress" else "to"
        spec[way.lower()] = [_rule(random, end) for _ in range(random.choice((0, 1, 1, 2, 3)))]
    if as_peer:
        end = "from" if "Ingress" in spec["policyTypes"] else "to"
        rules = spec["ingress" if end == "from" else "egress"]
        rules.append({end: [{"podSelector": mine}], "ports": [{"port": random.choice(PORTS)}]})
    return made


def _rule(random: Random, end: str) -> dict[str, Any]:
    peers = {} if random.random() < 0.15 else {end: [_peer(random) for _ in range(random.choice((1, 1, 2, 3)))]}
    ports = {} if random.random() < 0.3 else {"ports": [_port(random) for _ in range(random.choice((1, 2, 3)))]}
    return peers | ports


def _peer(random: Random) -> dict[str, Any]:
    kind = random.random()
    if kind < 0.1:
        return {"ipBlock": random.choice(BLOCKS)}
    pods = {"podSelector": _selector(random, empty=0.2)} if kind < 0.75 else {}
    homes = {"namespaceSelector": _homes(random)} if kind > 0.4 else {}
    return pods | homes


def _homes(random: Random) -> dict[str, Any]:
    if random.random() < 0.2:
        return {}
    if random.random() < 0.5:
        return {"matchLabels": {"team": random.choice(("one", "two"))}}
    names = random.sample(HOMES, random.choice((1, 2, 3)))
    return {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}]}


def _selector(random: Random, empty: float) -> dict[str, Any]:
    if random.random() < empty:
        return {}
    key = random.choice(tuple(LABELS))
    if random.random() < 0.5:
        return {"matchLabels": {key: random.choice(LABELS[key])}}
    operator = random.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    values = {"values": random.sample(LABELS[key], random.choice((1, 2)))} if operator.endswith("In") else {}
    return {"matchExpressions": [{"key": key, "operator": operator, **values}]}


def _port(random: Random) -> dict[str, Any]:
    first = random.choice(PORTS)
    if random.random() < 0.25:
        return {"port": first, "endPort": random.randint(first, PORTS[-1])}
    return {"port": first, "protocol": "TCP"}


def as_cilium_reads(objects: Sequence[Object]) -> list[Object]:
    """The same with each block of addresses as Cilium 1.19.4 takes it: as the pods of the policy's own namespace.

    Pods are never met by their addresses there; the pods of the namespace are a fault of that version
    (cilium/cilium#46305, mended in 1.19.5), which a run must find.
    """
    return [_blocks_as_pods(item) if item["kind"] == "NetworkPolicy" else item for item in objects]


def _blocks_as_pods(item: Any) -> Any:
    if isinstance(item, dict):
        if "ipBlock" in item:
            return {"podSelector": {}}
        return {key: _blocks_as_pods(value) for key, value in item.items()}
    return [_blocks_as_pods(value) for value in item] if isinstance(item, list) else item


class World:
    """What a report's flows should have come to, by its own account of who stood where."""

    def __init__(self, objects: Sequence[Object], raw: Mapping[str, Any]) -> None:
        """Read who stands for whom."""
        self._objects = [*objects, *(namespace(name, **{"kubernetes.io/metadata.name": name}) for name in OURS)]
        for item in self._objects:
            if item["kind"] == "Namespace":
                item["metadata"]["labels"] |= {"kubernetes.io/metadata.name": item["metadata"]["name"]}
        self._raw = raw
        pods = {item["metadata"]["name"]: item for item in objects if item["kind"] == "Pod"}
        titles = {item["id"]: item["title"].rpartition("/")[2] for item in raw["identities"]}
        self._ends: dict[str, Object] = {}
        self._nodes: dict[str, str] = {}
        for item in raw["stand_ins"]:
            meant = pods.get(titles.get(item["identity"], ""), {"metadata": {"labels": {}}, "spec": {}})
            meta = {"name": item["pod"], "namespace": item["namespace"], "labels": meant["metadata"]["labels"]}
            addresses = [{"ip": address} for address in item["addresses"]]
            self._ends[item["key"]] = {
                "kind": "Pod",
                "metadata": meta,
                "spec": meant["spec"],
                "status": {"phase": "Running", "podIPs": addresses},
            }
            self._nodes[item["key"]] = item["node"]

    def sides(self, flow: Mapping[str, Any]) -> dict[str, str]:
        """What each direction of a flow's policies says, by the node that has to see to it."""
        ends = [self._ends[flow[key]] for key in ("source", "destination")]
        asked = oracle.Flow(ends[0], ends[1], 4, flow["port"], flow["protocol"])
        return {way: oracle.one_side(self._objects, way, asked) for way in ("Egress", "Ingress")}

    def denied(self, flow: Mapping[str, Any], blind: Collection[str] = ()) -> bool:
        """Whether a flow is stopped where these nodes enforce nothing; what the API leaves open is."""
        at = {"Egress": self._nodes[flow["source"]], "Ingress": self._nodes[flow["destination"]]}
        return any(said != "allowed" and at[way] not in blind for way, said in self.sides(flow).items())


def _right(verdict: str, *, stopped: bool) -> set[str]:
    """What a flow of this verdict has to be called where it is stopped, or is not."""
    if stopped == (verdict == "denied"):
        return {"as-expected", "late"}
    return {"blockage" if stopped else "leak"}


def wrong(raw: Mapping[str, Any], says: World, does: World, blind: Collection[str]) -> Iterator[str]:
    """The flows of a report whose verdict or agreement is not what it must be.

    Where the fault of Cilium that is known opens a flow, packets alone say whether it does: not each such block opens.
    """
    for flow in raw["flows"]:
        if flow["verdict"] == "undefined" and flow["agreement"] == "inconclusive":
            # A block that holds the address which a probe pod came to have: nobody's to judge where no engine is known.
            continue
        verdict = "denied" if says.denied(flow) else "allowed"
        by_rights, by_fault = says.denied(flow, blind), does.denied(flow, blind)
        right = _right(verdict, stopped=by_rights) | _right(verdict, stopped=by_fault)
        if flow["verdict"] != verdict or flow["agreement"] not in {*right, "inconclusive"}:
            yield (
                f"{flow['source']} -> {flow['destination']}:{flow['port']}/{flow['protocol']}: {flow['verdict']},"
                f" {flow['agreement']} ({flow['reason']}); the policies say {verdict}, by rights {sorted(right)}"
            )
