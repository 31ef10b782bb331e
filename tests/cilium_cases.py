"""What Cilium's policies let through, found out with packets on Cilium 1.19 and written down by hand."""

from __future__ import annotations

from tests.builders import named
from tests.cilium import SERVED, Case, app, cnp, from_cli, tcp, to_srv, where

EVERYBODY = "a/cli a/cli2 b/cli b/host ext"
PODS = "a/cli a/cli2 b/cli"
HOME = "a/cli a/cli2"
EVERYWHERE = "a/srv a/srv2 b/srv n1 n2 ext"
ON_SERVED = "a/srv a/srv2 b/srv ext"
"""What answers on the port of pods."""
OF_NAMESPACE = "k8s:io.kubernetes.pod.namespace"
NAMESPACE_LABEL = "io.cilium.k8s.namespace.labels.team"
ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
CLUSTER = "io.cilium.k8s.policy.cluster"
NOWHERE = {"fromEndpoints": [app("nobody")]}

SECTIONS = (
    to_srv("an empty rule isolates and allows nothing", {}, opens=""),
    to_srv("an empty list has no effect beside another section", ingress=[], egress=[{}], opens=EVERYBODY),
    Case("an empty list alone", [cnp("a/p", endpointSelector=app("srv"), ingress=[])], into=f"{EVERYBODY} b/host1"),
    to_srv("a deny section isolates too", ingressDeny=[{"fromEndpoints": [app("cli2")]}], opens=""),
    to_srv(
        "unless default deny is off",
        ingressDeny=[{"fromEndpoints": [app("cli2")]}],
        enableDefaultDeny={"ingress": False},
        opens="a/cli b/cli b/host ext",
    ),
    to_srv(
        "what is denied is denied, whatever is allowed",
        {"fromEntities": ["all"]},
        ingressDeny=[{"fromEndpoints": [app("cli2")]}],
        opens="a/cli b/cli b/host ext",
    ),
    to_srv("allowing without isolating", NOWHERE, enableDefaultDeny={"ingress": False}, opens=EVERYBODY),
    Case(
        "default deny needs a section",
        [cnp("a/p", endpointSelector=app("cli"), enableDefaultDeny={"egress": True}, ingress=[NOWHERE])],
        out_of=EVERYWHERE,
    ),
    Case(
        "two rules in one object",
        [
            cnp(
                "a/p",
                {"endpointSelector": app("srv"), "ingress": [{"fromEndpoints": [app("cli")]}]},
                {"endpointSelector": app("cli"), "egress": [{"toEntities": ["cluster"]}]},
            )
        ],
        into="a/cli b/host1",
        out_of="a/srv a/srv2 b/srv n1 n2",
    ),
    Case(
        "what NetworkPolicy allows, Cilium's deny section denies",
        [
            {
                "apiVersion": "networking.k8s.io/v1",
                **named("NetworkPolicy", "a/v1"),
                "spec": {"podSelector": app("srv"), "ingress": [{}]},
            },
            cnp("a/p", endpointSelector=app("srv"), ingressDeny=[{"fromEndpoints": [app("cli2")]}]),
        ],
        into="a/cli b/cli b/host b/host1 ext",
    ),
    Case(
        "a policy of all namespaces means all pods and nobody else",
        [cnp("c", endpointSelector={}, ingress=[{"fromEndpoints": [{}]}])],
        into=f"{PODS} b/host1",
    ),
    Case(
        "namespaces' labels choose whom a policy of all namespaces is about",
        [cnp("c", endpointSelector={"matchLabels": {NAMESPACE_LABEL: "x", "app": "srv"}}, ingress=[{}])],
        into="b/host1",
    ),
    Case(
        "a policy cannot select another namespace's pods",
        [cnp("a/p", endpointSelector={"matchLabels": {OF_NAMESPACE: "b", "app": "srv"}}, ingress=[{}])],
        into="b/host1",
    ),
    Case(
        "without its source, the other namespace's name makes it select nothing",
        [cnp("a/p", endpointSelector=where("io.kubernetes.pod.namespace", "In", "b"), ingress=[{}])],
        into=f"{EVERYBODY} b/host1",
    ),
)

PEERS = (
    to_srv("an empty selector means the own namespace", {"fromEndpoints": [{}]}, opens=HOME),
    to_srv("no selector means nobody", {"fromEndpoints": [], "toPorts": tcp("8080")}, opens=""),
    to_srv("no entity means nobody", {"fromEntities": [], "toPorts": tcp("8080")}, opens=""),
    to_srv("no group means everybody", {"fromGroups": [], "toPorts": tcp("8080")}, opens=EVERYBODY),
    to_srv("by namespace", {"fromEndpoints": [{"matchLabels": {OF_NAMESPACE: "b"}}]}, opens="b/cli"),
    to_srv(
        "by namespace, any source",
        {"fromEndpoints": [{"matchLabels": {"any:io.kubernetes.pod.namespace": "b"}}]},
        opens="b/cli",
    ),
    to_srv("NotIn holds of a label that is missing", {"fromEndpoints": [where("gone", "NotIn", "x")]}, opens=HOME),
    to_srv("by service account", {"fromEndpoints": [{"matchLabels": {ACCOUNT: "special"}}]}, opens="a/cli2"),
    to_srv("by another service account", {"fromEndpoints": [where(ACCOUNT, "NotIn", "special")]}, opens="a/cli"),
    to_srv("by having a service account", {"fromEndpoints": [where(ACCOUNT, "Exists")]}, opens=HOME),
    to_srv("by having none", {"fromEndpoints": [where(ACCOUNT, "DoesNotExist")]}, opens=""),
    to_srv("a block holds no pod and no node", {"fromCIDR": ["0.0.0.0/0"]}, opens="ext"),
    to_srv("a block of nodes' addresses", {"fromCIDR": ["192.0.2.0/24"]}, opens="ext"),
    to_srv("the world and the other nodes", {"fromEntities": ["world", "remote-node"]}, opens="b/host ext"),
    Case(
        "pods by what their namespace is not",
        [cnp("c", endpointSelector=app("srv"), ingress=[{"fromEndpoints": [where(OF_NAMESPACE, "NotIn", "b")]}])],
        into=f"{HOME} b/host1",
    ),
    from_cli("an empty rule reaches nobody, its own node included", {}, opens=""),
    from_cli("the cluster", {"toEntities": ["cluster"]}, opens="a/srv a/srv2 b/srv n1 n2"),
    from_cli("its own node", {"toEntities": ["host"]}, opens="n1"),
    from_cli("the other nodes", {"toEntities": ["remote-node"]}, opens="n2"),
    from_cli("the world", {"toEntities": ["world"]}, opens="ext"),
    from_cli("all", {"toEntities": ["all"]}, opens=EVERYWHERE),
    from_cli("a block of all addresses", {"toCIDR": ["0.0.0.0/0"]}, opens="ext"),
    from_cli("a block with bits behind its prefix", {"toCIDR": ["203.0.113.77/24"]}, opens="ext"),
    from_cli(
        "a block's exception", {"toCIDRSet": [{"cidr": "203.0.113.0/24", "except": ["203.0.113.8/29"]}]}, opens=""
    ),
    from_cli("a namespace that is not b", {"toEndpoints": [where(OF_NAMESPACE, "NotIn", "b")]}, opens="a/srv a/srv2"),
    from_cli("by namespace's label", {"toEndpoints": [{"matchLabels": {NAMESPACE_LABEL: "y"}}]}, opens="b/srv"),
    from_cli("not by it", {"toEndpoints": [where(NAMESPACE_LABEL, "NotIn", "y")]}, opens="a/srv a/srv2"),
    from_cli(
        "everything but its own node",
        {"toEndpoints": [where("reserved:host", "DoesNotExist")]},
        opens="a/srv a/srv2 b/srv n2 ext",
    ),
    from_cli("the world by its label", {"toEndpoints": [{"matchLabels": {"reserved:world": ""}}]}, opens="ext"),
    from_cli("a reserved label has no value", {"toEndpoints": [where("reserved:world", "In", "x")]}, opens=""),
    from_cli("an entity that is no label", {"toEndpoints": [{"matchLabels": {"reserved:cluster": ""}}]}, opens=""),
    from_cli(
        "nobody is a node and a pod",
        {"toEndpoints": [{"matchLabels": {"reserved:remote-node": "", "app": "srv"}}]},
        opens="",
    ),
    from_cli(
        "this cluster by name",
        {"toEndpoints": [{"matchLabels": {CLUSTER: "default", "app": "srv"}}]},
        opens="a/srv",
    ),
    from_cli("another cluster", {"toEndpoints": [{"matchLabels": {CLUSTER: "other", "app": "srv"}}]}, opens=""),
)

PORTS = (
    to_srv("a port", {"toPorts": tcp("8080")}, opens=EVERYBODY),
    to_srv("another port", {"toPorts": tcp("8080")}, opens="", port=SERVED + 1),
    to_srv("port 0 means all", {"toPorts": tcp("0")}, opens=EVERYBODY, port=SERVED + 1),
    to_srv("a port of any protocol", {"toPorts": [{"ports": [{"port": "8080"}]}]}, opens=EVERYBODY),
    to_srv("a range", {"toPorts": tcp("8000", endPort=8080)}, opens=EVERYBODY),
    to_srv("above the range", {"toPorts": tcp("8000", endPort=8080)}, opens="", port=SERVED + 1),
    to_srv("an end below the port", {"toPorts": tcp("8080", endPort=80)}, opens=EVERYBODY),
    to_srv("a name, in capitals", {"toPorts": tcp("HTTP")}, opens=EVERYBODY),
    to_srv("a name of another protocol", {"toPorts": [{"ports": [{"port": "http", "protocol": "UDP"}]}]}, opens=""),
    to_srv("an item without ports means none", {"toPorts": [{}]}, opens=""),
    to_srv("and so for chosen peers", {"fromEndpoints": [{}], "toPorts": [{}]}, opens=""),
    to_srv("no item alone allows nothing", {"toPorts": []}, opens=""),
    to_srv("no item beside peers means all ports", {"fromEndpoints": [{}], "toPorts": []}, opens=HOME),
    to_srv("ICMP alone", {"fromEndpoints": [{}], "icmps": [{"fields": [{"type": 8, "family": "IPv4"}]}]}, opens=""),
    to_srv("no ICMP", {"fromEndpoints": [{}], "icmps": []}, opens=HOME),
    from_cli("a name that one pod declares opens its number everywhere", {"toPorts": tcp("http")}, opens=ON_SERVED),
    from_cli(
        "also to pods that do not declare it",
        {"toEndpoints": [app("srv2")], "toPorts": tcp("http")},
        opens="a/srv2",
    ),
    from_cli("a name that no pod declares", {"toPorts": tcp("gone")}, opens=""),
)

CASES = (*SECTIONS, *PEERS, *PORTS)

SETTINGS = {"policy-cidr-match-mode": "nodes", "policy-default-local-cluster": "false"}
"""Of the agents in a cluster where these cases hold."""
UNDER_SETTINGS = (
    to_srv("blocks hold nodes", {"fromCIDR": ["192.0.2.0/24"]}, opens="b/host ext"),
    from_cli("one node by its address", {"toCIDR": ["192.0.2.11/32"]}, opens="n1"),
    from_cli("a block of all addresses holds no node", {"toCIDR": ["0.0.0.0/0"]}, opens="ext"),
    from_cli(
        "what is no pod has no namespace",
        {"toEndpoints": [where(OF_NAMESPACE, "NotIn", "b")]},
        opens="a/srv a/srv2 n1 n2 ext",
    ),
    from_cli(
        "and no label of one", {"toEndpoints": [where(NAMESPACE_LABEL, "NotIn", "y")]}, opens="a/srv a/srv2 n1 n2 ext"
    ),
    Case(
        "a policy of all namespaces stays with pods",
        [cnp("c", endpointSelector=app("cli"), egress=[{"toEndpoints": [where(NAMESPACE_LABEL, "NotIn", "y")]}])],
        out_of="a/srv a/srv2",
    ),
)
