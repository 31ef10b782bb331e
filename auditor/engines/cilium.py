"""Cilium: its settings, the labels it does not see, and what it makes of port names.

Pure.  The settings are the ConfigMap's: a running agent, or a CiliumNodeConfig, may differ from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from auditor.engines.engine import Engine, Feature, Features, Marks, Remark, Ways, kinds_of
from auditor.model.cluster import Snapshot
from auditor.model.dialect import Dialect, HostNetwork
from auditor.model.flow import Direction
from auditor.model.lint import ObjectRef
from auditor.model.policy import PolicyPort
from auditor.model.rules import Match
from auditor.policy.cilium_cluster import CONFIG, Settings, Surroundings, read_settings

GROUP = "cilium.io"
CLUSTER_NETWORK_POLICIES = "clusternetworkpolicies.policy.networking.k8s.io"
THE_CONFIG = ObjectRef("ConfigMap", *CONFIG.split("/"))
ALWAYS_SEEN = (
    r"io\.kubernetes\.pod\.namespace",
    r"io\.cilium\.k8s\.namespace\.labels",
    r"app\.kubernetes\.io",
    r"io\.cilium\.k8s\.policy\.cluster",
    r"io\.cilium\.k8s\.policy\.serviceaccount",
)
NEVER_SEEN = (
    r"io\.kubernetes",
    r"kubernetes\.io",
    r"statefulset\.kubernetes\.io/pod-name",
    r"apps\.kubernetes\.io/pod-index",
    r"batch\.kubernetes\.io/job-completion-index",
    r"batch\.kubernetes\.io/controller-uid",
    r".*beta\.kubernetes\.io",
    r"k8s\.io",
    "pod-template-generation",
    "pod-template-hash",
    "controller-revision-hash",
    "controller-uid",
    "annotation.*",
    "etcd_node",
    r"topology\.kubernetes\.io",
)
"""Unless a longer part of the key is named by an inclusive pattern (Cilium 1.19; older versions lack the odd one)."""


def ignored_by_cilium(keys: Iterable[str], settings: Mapping[str, str]) -> frozenset[str]:
    """Which label keys of pods Cilium leaves out of identities, so that no policy can select by them.

    `settings` is the data of `cilium-config`, whose `labels` adds patterns; a namespace's label is asked for as
    `io.cilium.k8s.namespace.labels.KEY`.  Where agents read their patterns from a file nothing is known, and nothing
    is returned (Cilium's documentation: Limiting Identity-Relevant Labels).
    """
    if settings.get("label-prefix-file"):
        return frozenset()
    added = _patterns(settings.get("labels", ""))
    seen = (*_compiled(ALWAYS_SEEN), *(pattern for pattern, wanted in added if wanted))
    unseen = (*_compiled(NEVER_SEEN), *(pattern for pattern, wanted in added if not wanted))
    only_seen = any(wanted for _, wanted in added)
    return frozenset(key for key in keys if _is_ignored(key, seen, unseen, only_seen=only_seen))


@cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text) for text in patterns)


def _patterns(setting: str) -> list[tuple[re.Pattern[str], bool]]:
    """The patterns of the setting, each with whether it includes; `k8s:` may stand before one, `!` excludes."""
    found = []
    for text in setting.split():
        source, colon, rest = text.partition(":")
        pattern = rest if colon else text
        include = not pattern.startswith("!")
        try:
            compiled = re.compile(pattern.removeprefix("!"))
        except re.error:
            continue
        # A pattern for labels of another source, such as `!k8s`, means no label of a pod, and still makes a choice.
        found.append((compiled if not colon or source == "k8s" else re.compile(r"(?!)"), include))
    return found


def _is_ignored(
    key: str, seen: Iterable[re.Pattern[str]], unseen: Iterable[re.Pattern[str]], *, only_seen: bool
) -> bool:
    """The longest inclusive match is weighed against the shortest exclusive one."""
    included = max((found.end() for pattern in seen if (found := pattern.match(key))), default=0)
    excluded = min((found.end() for pattern in unseen if (found := pattern.match(key)) and found.end()), default=0)
    return not ((not only_seen and not excluded) or included > excluded)


def _ways(snapshot: Snapshot) -> Ways:
    settings = read_settings(snapshot)
    layers = kinds_of(GROUP)
    if settings.is_on("enable-k8s-cluster-network-policy", default=False) is Match.YES:
        layers |= {CLUSTER_NETWORK_POLICIES}
    return Ways(
        Features(
            end_port=Feature(Match.UNKNOWN, "before 1.17 the end of a range is ignored (cilium/cilium#28684)"),
            sctp=_sctp(settings),
            layers=layers,
            perhaps=frozenset() if settings.known else frozenset({CLUSTER_NETWORK_POLICIES}),
        ),
        Dialect(
            "cilium",
            block_holds_pods=Match.YES if "pods" in settings.words("policy-cidr-match-mode") else Match.NO,
            reaches_own_node=Match.NO,
            reaches_itself_by_service=Match.YES,
            host_network=HostNetwork.AS_NODE,
        ),
    )


def _sctp(settings: Settings) -> Feature:
    works = settings.is_on("enable-sctp", default=False)
    return Feature(works, "" if works is Match.YES else "SCTP is off unless enable-sctp is on")


SWITCHES: tuple[tuple[str, str, str, str], ...] = (
    ("enable-policy", "never", "enforcement-off", "no policy is enforced"),
    ("enable-policy", "always", "enforcement-always", "pods that no policy selects are isolated as well"),
    ("policy-audit-mode", "true", "audit-mode", "what policies deny is logged and let through"),
    ("enable-k8s-networkpolicy", "false", "networkpolicy-off", "NetworkPolicy is not enforced"),
    ("enable-cilium-network-policy", "false", "ciliumnetworkpolicy-off", "CiliumNetworkPolicy is not enforced"),
    (
        "enable-cilium-clusterwide-network-policy",
        "false",
        "ciliumclusterwidenetworkpolicy-off",
        "CiliumClusterwideNetworkPolicy is not enforced",
    ),
    (
        "allow-localhost",
        "policy",
        "own-node-policed",
        "policies apply to what comes from a pod's own node, its probes included",
    ),
)
"""Key, value, topic, and what the setting brings about."""


def _remarks(snapshot: Snapshot) -> tuple[Remark, ...]:
    settings = read_settings(snapshot)
    said = [
        Remark(topic, f"{key} is {value}: {text}", THE_CONFIG, f"data.{key}")
        for key, value, topic, text in SWITCHES
        if settings.text(key).lower() == value
    ]
    return (*said, *_names(snapshot))


def _names(snapshot: Snapshot) -> Iterator[Remark]:
    """Port names under egress, which Cilium looks up among all pods at once."""
    around = Surroundings(snapshot)
    for policy in snapshot.policies:
        if Direction.EGRESS not in policy.isolates:
            continue
        where = ObjectRef("NetworkPolicy", policy.namespace, policy.name)
        for position, rule in enumerate(policy.egress):
            for number, port in enumerate(rule.ports):
                text = _name(port, around, anywhere=not rule.peers)
                if text:
                    yield Remark("named-egress-port", text, where, f"spec.egress[{position}].ports[{number}].port")


def _name(port: PolicyPort, around: Surroundings, *, anywhere: bool) -> str:
    found = around.numbers(port.port.lower(), port.protocol) if isinstance(port.port, str) else frozenset()
    if len(found) > 1:
        return "pods declare this port name with different numbers, so that Cilium ignores it"
    if found and anywhere:
        return "Cilium opens the number of this port name to every destination, and not only to pods that declare it"
    return ""


ENGINE = Engine(
    "cilium",
    "Cilium",
    Marks(
        # GKE calls its own build anetd.
        daemon_sets=frozenset({"anetd", "cilium"}),
        places=frozenset({"cilium", "cilium-system", "kube-system"}),
        settings=frozenset({CONFIG}),
        node_labels={"kubernetes.azure.com/ebpf-dataplane": "cilium"},
        groups=frozenset({GROUP}),
    ),
    _ways,
    _remarks,
)
