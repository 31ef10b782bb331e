"""Handshakes with strangers: which are planned, as probes, and what is expected of each.

Pure.  A stranger's listener knows no nonce, so that a connection stood is all that packets can show.  Each handshake
has a witness on its own node, an unpoliced control that tries the same, for silence may mean that nobody is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from auditor.evaluate.model import Model
from auditor.external import Chosen, choose
from auditor.model.cluster import Pod
from auditor.model.ends import Address
from auditor.model.expectation import Wish
from auditor.model.flow import Protocol, Verdict
from auditor.model.handshake import Beyond, External, Handshake
from auditor.model.matrix import Identity
from auditor.model.options import Options
from auditor.model.probe import Estimate, Placed, Probe, ProbePlan, Skip, StandIn
from auditor.rounds import Placement, controls, running, timeouts
from probes.pace import STRANGERS

OF_WISH = {Wish.ALLOWED: Verdict.ALLOWED, Wish.DENIED: Verdict.DENIED}
CLEAR = frozenset({Verdict.ALLOWED, Verdict.DENIED})
ONCE = 3.5
"""Times the connect timeout for whoever is met once: by then the kernel has asked three times, at 0, 1 and 3 s."""
A_BATCH = 1.5
"""Seconds that a batch takes beside its time limits."""


def standard(handshake: Handshake) -> Verdict | None:
    """What a handshake is judged by: the model, and the user where the model leaves it open; None where both do."""
    if handshake.predicted.verdict in CLEAR:
        return handshake.predicted.verdict
    return OF_WISH[handshake.wish] if handshake.wish is not None else None


def with_externals(
    plan: ProbePlan, model: Model, identities: Iterable[Identity], audited: frozenset[str], options: Options
) -> ProbePlan:
    """The plan with a handshake from each audited identity's probe pod to each address that `--external` names.

    Raises UsageError for a block that is the cluster's own.
    """
    if not options.externals:
        return plan
    known = {item.id: item for item in identities}
    sources = [item for item in plan.stand_ins if item.identity in audited and not item.key.endswith("x")]
    made: list[Handshake] = []
    skips: list[Skip] = []
    numbers = count(1)
    for external in options.externals:
        found, left = _planned(external, model, {item: pod_of(item, known[item.identity]) for item in sources})
        made += [replace(item, id=next(numbers)) for item in found]
        skips += left
    whole = replace(
        plan,
        handshakes=tuple(made),
        skipped=tuple(sorted([*plan.skipped, *skips], key=lambda skip: (skip.what, skip.reason))),
    )
    return replace(whole, estimate=estimate_of(whole, options))


def _planned(external: External, model: Model, sources: Mapping[StandIn, Pod]) -> tuple[list[Handshake], list[Skip]]:
    what = f"--external {external.title}:{external.port}/{external.protocol.value}"
    if external.protocol is not Protocol.TCP:
        why = "it has no handshake that shows anything without a word; netaudit explain says what policies mean for it"
        return [], [Skip(what, why)]
    chosen, left = choose(external, model)
    skips = [Skip(what, f"{left} more parts of it that policies tell apart are not tried")] * bool(left)
    made = [
        _handshake(external, one, source, model, pod)
        for one in chosen
        for source, pod in sources.items()
        if one.family in pod.families
    ]
    if not made:
        skips.append(Skip(what, "no probe pod of an audited identity has an address of its family", unjudged=True))
    open_ones = Counter(item.predicted.reason for item in made if standard(item) is None)
    skips += [
        Skip(f"{what} for {number} identities", f"the model has no verdict ({why}), and =model expects nothing else")
        for why, number in open_ones.items()
    ]
    return [item for item in made if standard(item) is not None], skips


def _handshake(external: External, one: Chosen, source: StandIn, model: Model, pod: Pod) -> Handshake:
    target = f"{one.address}, {one.part}" if one.part else one.address
    predicted = model.decide(pod, Address(one.address), one.family, external.port, external.protocol)
    return Handshake(
        id=0,
        kind=Beyond.EXTERNAL,
        source=source.key,
        target=target,
        address=one.address,
        family=one.family,
        port=external.port,
        predicted=predicted,
        wish=external.wish,
        block=external.title,
    )


def pod_of(stand_in: StandIn, identity: Identity) -> Pod:
    """The pod that a stand-in will be, with the addresses of someone whom policies treat alike."""
    if stand_in.pod:
        return next(pod for pod in identity.pods if pod.name == stand_in.pod)
    return Pod(
        namespace=stand_in.namespace,
        name=stand_in.key,
        labels=dict(stand_in.labels),
        node=stand_in.node,
        addresses=identity.pods[0].addresses,
        ports=stand_in.named_ports,
        service_account=stand_in.account or "default",
    )


def is_clear(handshake: Handshake) -> bool:
    """Whether the model has a verdict."""
    return handshake.predicted.verdict in CLEAR


def tries_of(handshake: Handshake, options: Options) -> tuple[float, ...]:
    """The limits of its tries, in seconds."""
    if handshake.is_once:
        return (ONCE * options.connect_timeout,)
    limits = timeouts(options)
    return limits if standard(handshake) is Verdict.DENIED else limits[-1:]


def estimate_of(plan: ProbePlan, options: Options) -> Estimate:
    """What the plan costs with its handshakes."""
    sources = {item.source for item in plan.handshakes[plan.estimate.handshakes :]}
    met = plan.handshakes[plan.estimate.handshakes :]
    silent = [sum(tries_of(item, options)) for item in met if standard(item) is Verdict.DENIED]
    a_batch = A_BATCH + max(silent, default=0.0)
    nodes = {item.node for item in plan.stand_ins} if any(item.node for item in met) else ()
    # Whoever may be met once only is met when all has settled.
    wait = options.settle if any(item.is_once for item in met) else 0.0
    return replace(
        plan.estimate,
        handshakes=len(plan.handshakes),
        requests=plan.estimate.requests + 2 * (len(sources) + len(nodes)),
        seconds=plan.estimate.seconds + round(wait + a_batch * -(-len(sources) // STRANGERS)),
    )


def placed(handshakes: Iterable[Handshake], placement: Placement, model: Model) -> tuple[Handshake, ...]:
    """Decide every handshake again from the probe pods as the API server stored them."""
    here = running(placement)
    return tuple(
        replace(
            item,
            predicted=model.decide(here[item.source].pod, Address(item.address), item.family, item.port, item.protocol),
        )
        if item.source in here
        else item
        for item in handshakes
    )


def handshake_probes(handshakes: Sequence[Handshake], placement: Placement, options: Options) -> tuple[Probe, ...]:
    """The handshakes whose source runs, and the same by the control on its node, and by an agent in the pod itself.

    Sorted, each once.
    """
    here = running(placement)
    at = controls(here)
    inside = {(item.pod.namespace, item.stand_in.pod): key for key, item in here.items() if item.stand_in.pod}
    probes: dict[Probe, None] = {}
    for item in handshakes:
        if item.source not in here or here[item.source].pod.address(item.family) is None:
            continue
        tries = tries_of(item, options)
        probes[_probe(item, item.source, tries)] = None
        witness = at.get((here[item.source].pod.node, "a"))
        if witness is not None and here[witness].pod.address(item.family) is not None:
            repeats = tries if item.is_once else (options.connect_timeout,) * options.tries
            probes[_probe(item, witness, repeats)] = None
        if item.is_once and item.pod in inside:
            probes[_probe(item, inside[item.pod], tries)] = None
    return tuple(sorted(probes, key=lambda probe: (probe.source, probe.address, probe.port, len(probe.timeouts))))


def twin_probes(handshakes: Iterable[Handshake], placement: Placement, options: Options) -> tuple[Probe, ...]:
    """For handshakes with real pods, unpoliced controls on the same two nodes that meet on the same port; sorted."""
    here = running(placement)
    repeats = (options.connect_timeout,) * options.tries
    found = {
        Probe(*twins, item.family, item.port, repeats, item.protocol)
        for item in handshakes
        if (twins := twins_of(item, here)) is not None and all(here[key].pod.address(item.family) for key in twins)
    }
    return tuple(sorted(found, key=lambda probe: (probe.source, probe.destination, probe.family.value, probe.port)))


def twins_of(item: Handshake, here: Mapping[str, Placed]) -> tuple[str, str] | None:
    """The unpoliced controls on the nodes of both ends, where there are two and the second listens on the port."""
    if item.source not in here or not item.node:
        return None
    at = controls(here)
    source, target = at.get((here[item.source].pod.node, "a")), at.get((item.node, "b"))
    if not source or not target or (item.protocol, item.port) not in here[target].stand_in.listens:
        return None
    return source, target


def _probe(item: Handshake, source: str, tries: tuple[float, ...]) -> Probe:
    return Probe(source, "", item.family, item.port, tries, item.protocol, item.address)
