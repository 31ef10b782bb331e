"""Clusters asked about every flow: between pods, and with nodes and the outside at either end."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from hypothesis import settings

from auditor.cluster import documents
from auditor.cluster.applied import applied
from auditor.cluster.decode import decode
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod, Snapshot
from auditor.model.ends import Address
from auditor.model.flow import Decision, Family, Protocol, Verdict
from auditor.model.problem import Effect
from auditor.ports import RawSnapshot
from tests import oracle
from tests.builders import RESOURCES, Raw
from tests.properties import tally
from tests.strategies import OUTSIDE
from tests.strategies.parts import NODES

FAMILIES = {4: Family.IPV4, 6: Family.IPV6}
VERSIONS = {family: version for version, family in FAMILIES.items()}
TRAFFIC = (
    *((Protocol.TCP, port) for port in (80, 81, 82, 8642, 65535)),
    *((Protocol.UDP, 80), (Protocol.UDP, 81), (Protocol.SCTP, 80)),
)
"""Ports that pods declare and policies name, their neighbours, and the last one."""


API_VERSIONS = {"NetworkPolicy": "networking.k8s.io/v1"}
Reader = Callable[[Sequence[Raw]], Snapshot]
Name = tuple[str, str, str, str, int]
"""Source, destination, family, protocol and port."""
Verdicts = dict[Name, Verdict]
many = settings(max_examples=4 * settings().max_examples)
"""For the model against the oracle, five times: 500 clusters in every test run, 20,000 in the long one."""
few = settings(max_examples=max(10, settings().max_examples // 5))
"""For laws, of which there are many: a fifth of the examples."""


class End(NamedTuple):
    """One end as the oracle takes it and as the model does."""

    raw: Raw | str
    given: Pod | Address
    families: tuple[Family, ...]

    @property
    def name(self) -> str:
        return self.given.ip if isinstance(self.given, Address) else f"{self.given.namespace}/{self.given.name}"


class Question(NamedTuple):
    """A flow in the words of both."""

    source: End
    destination: End
    family: Family
    protocol: Protocol
    port: int

    @property
    def flow(self) -> oracle.Flow:
        """As the oracle takes it."""
        version = VERSIONS[self.family]
        return oracle.Flow(self.source.raw, self.destination.raw, version, self.port, self.protocol.value)

    @property
    def name(self) -> Name:
        return self.source.name, self.destination.name, self.family.value, self.protocol.value, self.port

    def ask(self, model: Model) -> Decision:
        """What the model says, and why."""
        return model.decide(self.source.given, self.destination.given, self.family, self.port, self.protocol)


def read(objects: Iterable[Raw]) -> Snapshot:
    """A snapshot of these objects and no others."""
    found: dict[str, list[Raw]] = defaultdict(list)
    for item in objects:
        found[RESOURCES[item["kind"]]].append(item)
    return decode(RawSnapshot(found, {}, "v1.35.0"))


def read_file(objects: Iterable[Raw]) -> Snapshot:
    """What `netaudit predict` makes of a file that holds these objects."""
    items = [{"apiVersion": API_VERSIONS.get(item["kind"], "v1"), **item} for item in objects]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    found, problems = documents.read("cluster.json", text.encode())
    raw, notes = applied(found, problems)
    assert all(note.effect is Effect.NOTED for note in notes), notes
    return decode(raw)


def pod_ends(objects: Sequence[Raw], snapshot: Snapshot) -> list[End]:
    """Every pod that can be an end: not finished, and with an address or about to have one."""
    by_name = {oracle.home_and_name(item): item for item in objects if item["kind"] == "Pod"}
    return [
        End(by_name[pod.namespace, pod.name], pod, pod.families)
        for pod in snapshot.pods
        if not pod.finished and pod.families
    ]


def address_ends(snapshot: Snapshot) -> list[End]:
    """Nodes, the outside, an address that a finished pod may have given back, and one of a pod."""
    gone = [text for pod in snapshot.pods if pod.finished for text in pod.addresses][:1]
    there = [text for pod in snapshot.pods if not pod.finished for text in pod.addresses][-1:]
    nodes = (*NODES["n1"], NODES["n2"][0])
    return [_by_address(text) for text in dict.fromkeys((*OUTSIDE, *nodes, *gone, *there))]


def _by_address(text: str) -> End:
    return End(text, Address(text), (FAMILIES[6 if ":" in text else 4],))


def questions(objects: Sequence[Raw], snapshot: Snapshot | None = None) -> Iterator[Question]:
    """Every flow with a pod at one end at least."""
    snapshot = snapshot or read(objects)
    pods = pod_ends(objects, snapshot)
    everyone = [*pods, *address_ends(snapshot)]
    for source, destination in product(everyone, repeat=2):
        if source in pods or destination in pods:
            for family in source.families:
                if family in destination.families:
                    yield from (Question(source, destination, family, *traffic) for traffic in TRAFFIC)


def model_of(objects: Iterable[Raw]) -> Model:
    """The model of these objects and no others."""
    return Model(read(objects))


def verdicts(objects: Sequence[Raw]) -> Verdicts:
    """The model's verdict of every flow, by names."""
    model = model_of(objects)
    found = {question.name: question.ask(model).verdict for question in questions(objects, model.snapshot)}
    tally.count("laws", flows=len(found))
    return found


def worse(before: Verdicts, after: Verdicts) -> list[Name]:
    """Flows that are nearer to DENIED than they were; where one is UNKNOWN nothing can be said."""
    order = (Verdict.DENIED, Verdict.UNDEFINED, Verdict.ALLOWED)
    sure = {name: verdict for name, verdict in before.items() if Verdict.UNKNOWN not in {verdict, after[name]}}
    return [name for name, verdict in sure.items() if order.index(after[name]) < order.index(verdict)]


def differences(objects: Sequence[Raw], reader: Reader = read) -> Iterator[str]:
    """Where the model and the oracle do not agree, in words."""
    snapshot = reader(objects)
    model = Model(snapshot)
    everything = list(questions(objects, snapshot))
    for question in everything:
        ours, theirs = question.ask(model).verdict.value, oracle.fitting_verdicts(objects, question.flow)
        if ours not in theirs:
            yield f"{question.name}: the model says {ours}, the oracle {theirs[0]}"
    tally.count("model against oracle", flows=len(everything))


def difference(objects: Sequence[Raw], reader: Reader = read) -> str:
    """The first of them, or nothing."""
    return next(differences(objects, reader), "")
