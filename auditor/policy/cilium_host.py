"""Cilium's rules with `nodeSelector`: what they may do to the flows of pods.

Pure.  Such a rule is about nodes, and about no pod.  Where the host firewall is on, a node it selects may refuse what a
pod sends it, or not send what a pod would take; which, is not modelled.
"""

from __future__ import annotations

from auditor.cluster import fields
from auditor.cluster.decode_policy import decode_selector
from auditor.cluster.fields import Raw
from auditor.model.flow import Direction, PolicyRef
from auditor.model.labels import LabelSelector, Requirement
from auditor.model.rules import ANY_POD, MIDDLE, Action, Clause, Match, NodeLabels, Section, Translation
from auditor.policy.cilium_cluster import Surroundings
from auditor.policy.cilium_selector import split_key

RANK = (1.0, "")
REASON = "it is about nodes (nodeSelector), whose firewall is not modelled"
PODS_END = {Direction.INGRESS: Direction.EGRESS, Direction.EGRESS: Direction.INGRESS}
"""What comes into a node is what a pod sends."""


def host_sections(raw: Raw, ref: PolicyRef, path: str, around: Surroundings) -> Translation:
    """The flows between pods and the selected nodes that may be refused: none where the host firewall is off."""
    found = decode_selector(fields.mapping(raw, "nodeSelector"))
    if around.settings.is_on("enable-host-firewall", default=False) is Match.NO:
        return Translation(notes=(f"{path}nodeSelector has no effect: the host firewall is off",))
    # Nodes' labels may be asked for with a source, such as `k8s:`.
    wanted = [Requirement(split_key(item.key)[1], item.operator, item.values) for item in found.requirements]
    nodes = NodeLabels(LabelSelector(tuple(wanted)))
    sections = []
    for direction, end in PODS_END.items():
        word = direction.value.lower()
        if fields.sequence(raw, word) or fields.sequence(raw, f"{word}Deny"):
            clause = Clause(Action.DENY, f"{path}{word}", nodes, unsure=REASON)
            sections.append(Section(ref, end, MIDDLE, RANK, ANY_POD, (clause,), isolates=False))
    return Translation(tuple(sections), (f"{path}nodeSelector selects nodes, and no pod",))
