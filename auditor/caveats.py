"""What an audit cannot say, in plain sentences.

Pure.  What was not tested is named one by one elsewhere; these are the bounds of what was.
"""

from __future__ import annotations

from auditor.model.finding import Judgement
from auditor.model.flow import Verdict
from auditor.model.handshake import Beyond
from auditor.model.options import Mode, Options
from auditor.model.probe import ProbePlan, Role
from auditor.verdict import Material

_MEASURED = (
    "Measured between probe pods on pod addresses, with UDP and SCTP only on ports that a policy or a container "
    "names with that protocol; Service addresses and addresses outside the cluster were not tried."
)
_MET = (
    "Measured between probe pods on pod addresses, with UDP and SCTP only on ports that a policy or a container "
    "names with that protocol, and by handshake with strangers; Service addresses were not tried."
)
_HANDSHAKES = {
    Beyond.EXTERNAL: (
        "A handshake shows that something answered, be it a proxy on the way, and not who: nothing was sent. "
        "Of a block one address was tried for each part that policies tell apart, and others may not answer alike."
    ),
    Beyond.REAL: (
        "Of real pods one of each identity was tried, once from each probe pod, on the TCP ports that its containers "
        "name but {ports}; in a pod with a proxy of a mesh the proxy may have answered."
    ),
}
_NODES = "A node is proven where a denied flow was measured with its pod there; other nodes are not."
_WHEN = "Only new connections were tried, at the time of this run."
_KEPT = (
    "The cluster keeps Events about the probe pods until they expire (an hour by default), and some engines keep "
    "the identities that they made for them until their own clean-up."
)
_MARKED = (
    "An ephemeral container cannot be removed from a pod: what is marked stays so until the pod is replaced. Its agent "
    "ends with the run; what it used until then counted as the pod's own, for limits and for autoscalers."
)
_MEASURED_INPLACE = (
    "Measured between agents in real pods and unpoliced controls on pod addresses; Service addresses were not tried."
)
LIMITS = {
    Mode.CLONE: (
        _MEASURED,
        (
            "A probe pod stands for an identity: pods that no policy can tell apart. It wears its policy-relevant "
            "labels on a node that runs one of its pods; the pods themselves were not touched."
        ),
        _NODES,
        _WHEN,
        _KEPT,
    ),
    Mode.SENTINEL: (
        (
            "Mode sentinel says whether each node enforces NetworkPolicy in both directions, by label and port, with "
            "netaudit's own policies over its own pods in its own namespaces."
        ),
        (
            "It cannot say what the policies of this cluster's users mean, whether they protect anything, or what "
            "workloads can reach: none of them were read, and an engine can fail on what no sentinel tries."
        ),
        "An ipBlock is not tried: the API leaves open whether it means pods. Neither are port names and port ranges.",
        "How full the nodes were was not read: at most eight small pods stood on each for the time of the run.",
        _MEASURED,
        _NODES,
        _WHEN,
        _KEPT,
    ),
    Mode.INPLACE: (
        (
            "Mode inplace measures from and to real pods, one of each identity that was asked for (and one more where "
            "a node would go unproven), through an agent in an ephemeral container. Other pods of an identity, and "
            "pods that were not asked for, were not touched."
        ),
        (
            "An agent listens on one port of its pod, which nobody declares, leads to, knocks at or names in a policy. "
            "That shows what is denied or allowed on all ports alike; whether a rule holds on the ports that it names "
            "is shown between probe pods only (--mode clone or shadow), or by handshake with --targets real."
        ),
        (
            "What drops or answers a packet inside a pod cannot be told from the engine: pods with a proxy of a known "
            "mesh, and pods one of whose containers may filter their traffic, were left out for that."
        ),
        _MARKED,
        _MEASURED_INPLACE,
        _NODES,
        _WHEN,
        _KEPT,
    ),
    Mode.SHADOW: (
        (
            "Mode shadow measures equivalents, not the workloads themselves: pods with their policy-relevant labels, "
            "in netaudit's own namespaces, under copies of the NetworkPolicies of the namespaces that were asked for."
        ),
        (
            "It shows that the engine enforces such policies on such pods on these nodes. It cannot show that the "
            "policy that stands beside the workloads has reached the engine, or what the engine does in that namespace."
        ),
        "Flows that policies decide otherwise for the copies than for the workloads were left out and are counted.",
        _MEASURED,
        _NODES,
        _WHEN,
        _KEPT,
    ),
}
"""What an audit of each mode can and cannot say."""
TIMED = (
    "Times to enforce are those of a policy that denies all, for new connections between pods of one node by TCP; a "
    "connection that stood already was not tried, and a policy with many peers may take longer."
)
SERVED = (
    "Services were tried with one server of netaudit's own and policies of netaudit's own, by TCP: what that shows of "
    "the engine and of kube-proxy holds for other Services as far as they are of the same kinds. Which source policies "
    "see behind a node port the API leaves open: where it matters, what was seen is said and not judged."
)


def _of_mode(plan: ProbePlan, options: Options) -> list[str]:
    """What this audit cannot say; of strangers there is more to say where some were met."""
    known = {item.kind for item in plan.handshakes}
    more = [text for kind, text in _HANDSHAKES.items() if kind in known]
    real = {text.format(ports=", ".join(map(str, options.never_ports))) for text in more}
    measured = _MET if plan.handshakes else _MEASURED
    if plan.services:
        measured = measured.replace("Service addresses", "addresses of the cluster's own Services")
    said = [text for text in LIMITS[options.mode] if not (options.sandbox and text is _KEPT)]
    return [measured if text is _MEASURED else text for text in said] + sorted(real)


def _choice(plan: ProbePlan, options: Options) -> list[str]:
    """What a chosen part of the flows cannot say."""
    if not plan.unchosen:
        return []
    whole = len(plan.flows) + plan.unchosen
    return [
        (
            f"--coverage {options.coverage.value} chose {len(plan.flows):,} of {whole:,} flows (seed {options.seed}); "
            "the others were not tried, and a leak among them would not show. --coverage full tries them."
        )
    ]


def _before(material: Material) -> list[str]:
    """What flows that were taken over cannot say."""
    if not any(item.measured for item in material.comparison.judgements):
        return []
    return [
        (
            f"Flows that were taken over hold for the time at which run {material.resumed} measured them. Nothing that "
            "bears on them has changed since, and for each node of theirs something like them was tried anew; they do "
            "not speak for nodes."
        )
    ]


def _unwitnessed(material: Material) -> list[str]:
    """How many probe pods were silent with no flow of their own to show that their path was alive."""
    silent: set[tuple[bool, str, str]] = set()
    alive: set[tuple[bool, str, str]] = set()
    for item in material.comparison.judgements:
        found = alive if item.flow.predicted.verdict is Verdict.ALLOWED else silent
        found |= {(is_source, key, item.flow.family.value) for is_source, key in _ends(item)}
    clones = {item.key for item in material.plan.stand_ins if item.role is not Role.CONTROL}
    left = {key for _, key, _ in silent - alive} & clones
    if not left:
        return []
    return [
        (
            f"Policies allow nothing that was tried into or out of {len(left)} of {len(clones)} probe pods; that their "
            "paths were alive when they were silent that way is known from the twins on their nodes only."
        )
    ]


def _ends(judgement: Judgement) -> tuple[tuple[bool, str], tuple[bool, str]]:
    return (True, judgement.flow.source), (False, judgement.flow.destination)


_HERE = "the engine and of kube-proxy", "the sandbox's engine and of its own Services"
REHEARSED = (
    "Manifests ran in network namespaces of one machine, under an engine of netaudit's own that knows NetworkPolicy "
    "alone. Whether any cluster's engine enforces them is not tested; neither are its Services, names, meshes or "
    "admission. A workload had a pod for each of its replicas (of a DaemonSet: for each node), but on each node one at "
    "most, and in a sandbox that was half full already one in all."
)


def limits(material: Material, options: Options) -> list[str]:
    """Every bound of one audit, what bears most on it first."""
    plan = material.plan
    return [
        *([REHEARSED] if options.sandbox else []),
        *_choice(plan, options),
        *_before(material),
        *_of_mode(plan, options),
        *_unwitnessed(material),
        *([TIMED] if plan.timing else []),
        *([SERVED.replace(*_HERE) if options.sandbox else SERVED] if plan.services else []),
        *map(_doubt, material.snapshot.doubts),
    ]


def _doubt(text: str) -> str:
    return f"Not read, so that it may explain what was denied or got through here: {text}."
