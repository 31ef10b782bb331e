"""Labels that Cilium does not see, and what its settings say before any probe."""

from __future__ import annotations

import pytest

from auditor.engines import ENGINES, unsupported
from auditor.engines.cilium import ignored_by_cilium
from auditor.engines.engine import Remark
from auditor.model.lint import ObjectRef
from tests.builders import Raw, allow, pod, pods, policy, port, snapshot, tcp
from tests.cilium import config


def ignored(*keys: str, **settings: str) -> set[str]:
    return set(ignored_by_cilium(keys, {key.replace("_", "-"): value for key, value in settings.items()}))


def remarks(*objects: Raw) -> list[Remark]:
    return list(ENGINES["cilium"].remarks(snapshot(*objects)))


DEFAULTS = [
    ("app", False),
    ("app.kubernetes.io/name", False),
    ("io.kubernetes.pod.namespace", False),
    ("io.kubernetes.pod.name", True),
    ("io.cilium.k8s.policy.serviceaccount", False),
    ("io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", False),
    ("kubernetes.io/arch", True),
    ("my.kubernetes.io/thing", False),
    ("pod-template-hash", True),
    ("pod-template-hash-of-mine", True),
    ("my-pod-template-hash", False),
    ("controller-revision-hash", True),
    ("controller-uid", True),
    ("statefulset.kubernetes.io/pod-name", True),
    ("apps.kubernetes.io/pod-index", True),
    ("batch.kubernetes.io/job-completion-index", True),
    ("batch.kubernetes.io/controller-uid", True),
    ("batch.kubernetes.io/job-name", False),
    ("k8s.io/cluster", True),
    ("node.beta.kubernetes.io/kind", True),
    ("topology.kubernetes.io/zone", True),
    ("annotation.mine", True),
]


@pytest.mark.parametrize(("key", "expected"), DEFAULTS, ids=[key for key, _ in DEFAULTS])
def test_labels_that_are_ignored_by_default(key: str, expected: bool) -> None:
    assert ({key} if expected else set()) == ignored(key)


def test_one_label_named_leaves_out_all_that_are_not() -> None:
    seen = ("app", "app-team", "app.kubernetes.io/name", "io.kubernetes.pod.namespace", "team")

    assert {"team"} == ignored(*seen, labels="k8s:app")


def test_pattern_may_end_a_key() -> None:
    assert {"kind-of"} == ignored("kind", "kind-of", labels="kind$")


def test_labels_may_be_left_out_by_name() -> None:
    assert {"job-name", "pod-template-hash"} == ignored("job-name", "app", "pod-template-hash", labels="!job-name")
    assert {"job-name"} == ignored("job-name", "app", labels="k8s:!job-name")


def test_longer_inclusion_wins_over_a_shorter_exclusion() -> None:
    assert {"pod-template-hash"} == ignored("pod-template-hash", labels="pod-template-hash"), "it is as long"
    assert {"team.name"} == ignored("team.name", "team.lead", labels=r"!team\.name team")
    assert set() == ignored("team.lead", labels=r"!team team\.lead")


def test_exclamation_mark_before_the_source_makes_a_choice_of_no_label() -> None:
    assert {"app", "team"} == ignored("app", "team", labels="!k8s:team")


def test_pattern_that_is_none_is_passed_over() -> None:
    assert set() == ignored("app", labels="(")


def test_patterns_from_a_file_are_not_known() -> None:
    assert set() == ignored("pod-template-hash", label_prefix_file="/etc/labels")


@pytest.mark.parametrize(
    ("setting", "topic"),
    [
        ({"enable_policy": "never"}, "enforcement-off"),
        ({"enable_policy": "always"}, "enforcement-always"),
        ({"policy_audit_mode": "true"}, "audit-mode"),
        ({"enable_k8s_networkpolicy": "false"}, "networkpolicy-off"),
        ({"enable_cilium_network_policy": "false"}, "ciliumnetworkpolicy-off"),
        ({"enable_cilium_clusterwide_network_policy": "false"}, "ciliumclusterwidenetworkpolicy-off"),
        ({"allow_localhost": "policy"}, "own-node-policed"),
    ],
)
def test_setting_is_told_with_its_place(setting: dict[str, str], topic: str) -> None:
    key = next(iter(setting)).replace("_", "-")

    (told,) = remarks(config(**setting))

    assert (topic, f"data.{key}") == (told.topic, told.path)
    assert ObjectRef("ConfigMap", "kube-system", "cilium-config") == told.object
    assert told.text.startswith(f"{key} is {setting[next(iter(setting))]}: ")


def test_usual_settings_are_no_news() -> None:
    assert [] == remarks(config(enable_policy="default", policy_audit_mode="false", enable_k8s_networkpolicy="true"))
    assert [] == remarks(pod("shop/web"))


def named_egress(*pods_of: Raw, peers: tuple[Raw, ...] = ()) -> list[Remark]:
    rule = allow(*peers, ports=[tcp(53), tcp("http")])
    return remarks(policy("shop/p", egress=[rule], types=["Egress"]), *pods_of)


def test_port_name_of_several_numbers_is_ignored() -> None:
    told = named_egress(
        pod("shop/a", ports=[port(80, "http")]), pod("b/b", ports=[port(8080, "http")]), peers=(pods(app="a"),)
    )

    assert ["named-egress-port"] == [item.topic for item in told]
    assert "different numbers" in told[0].text
    assert (ObjectRef("NetworkPolicy", "shop", "p"), "spec.egress[0].ports[1].port") == (told[0].object, told[0].path)


def test_port_name_to_anywhere_opens_its_number_to_all() -> None:
    told = named_egress(pod("shop/a", ports=[port(80, "http")]))

    assert "every destination" in told[0].text


def test_port_name_of_one_number_to_chosen_pods_is_no_news() -> None:
    assert [] == named_egress(pod("shop/a", ports=[port(80, "http")]), peers=(pods(app="a"),))


def test_inert_egress_rule_is_no_news() -> None:
    one, other = pod("shop/a", ports=[port(80, "http")]), pod("b/b", ports=[port(8080, "http")])

    assert [] == remarks(policy("shop/p", egress=[allow(ports=[tcp("http")])], types=["Ingress"]), one, other)


def test_remarks_come_with_what_is_unsupported() -> None:
    found = unsupported(ENGINES["cilium"], snapshot(config(enable_policy="never")))

    assert ["enforcement-off"] == [item.topic for item in found]
