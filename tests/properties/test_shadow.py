"""Shadows of random clusters: copies of NetworkPolicies decide about them as the originals do about the workloads."""

from __future__ import annotations

from hypothesis import given

from auditor.evaluate.model import Model
from auditor.model.flow import Family, Protocol
from auditor.model.options import Mode, Options
from auditor.plan import own_namespaces
from auditor.shadow import shadows
from tests.builders import Raw, snapshot
from tests.strategies import clusters

PORTS = (80, 8080, 9999)


@given(clusters())
def test_copies_decide_as_the_policies_do(objects: list[Raw]) -> None:
    scene = shadows(snapshot(*objects), Options(mode=Mode.SHADOW))
    names = scene.names
    model = Model(scene.acted, own_namespaces())
    real = {(pod.namespace, pod.name): pod for pod in scene.original.snapshot.pods}
    pairs = [(pod, real[names[pod.namespace], pod.name]) for pod in scene.acted.pods if scene.covers(pod)]
    for source, of_source in pairs[:6]:
        for destination, of_destination in pairs[:6]:
            for port in PORTS:
                asked = Family.IPV4, port, Protocol.TCP
                told = model.decide(source, destination, *asked).verdict
                assert told is scene.original.decide(of_source, of_destination, *asked).verdict
