"""What the tests of explaining share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.asking import Question, ask
from auditor.evaluate.model import Model
from auditor.model.dialect import API, Dialect
from auditor.model.explanation import Explained
from auditor.model.flow import Protocol
from auditor.query import Oracle
from auditor.services import Services
from auditor.targets import Targets
from tests.builders import Raw, named, snapshot


def model_of(*objects: Raw, dialect: Dialect = API) -> Model:
    return Model(snapshot(*objects), dialect=dialect)


def asked(
    model: Model, source: str, destination: str, port: int | str, *, by_service: bool = False, udp: bool = False
) -> Explained:
    """The answer to `netaudit explain SOURCE DESTINATION PORT`."""
    services = Services(model)
    targets = Targets(model, services, "shop")
    protocol = Protocol.UDP if udp else Protocol.TCP
    question = Question(targets.find(source), targets.find(destination), protocol, port, by_service=by_service)
    return ask(model, services, question)


def answered(model: Model, source: object, destination: object, port: object = 80, **more: Any) -> dict[str, Any]:
    """The answer to one line of a batch."""
    return Oracle(model).answer({"src": source, "dst": destination, "port": port, **more})


def service(where: str, *ports: Raw, at: Sequence[str] = (), selects: Raw | None = None, **spec: Any) -> Raw:
    """A Service; `selects` None means that it has no selector."""
    listed = {"clusterIP": at[0], "clusterIPs": list(at)} if at else {}
    chosen = {} if selects is None else {"selector": selects}
    return {**named("Service", where), "spec": {"ports": list(ports), **chosen, **listed, **spec}}


def leading(number: int, target: int | str | None = None, **more: Any) -> Raw:
    """A port of a Service."""
    return {"port": number, **({} if target is None else {"targetPort": target}), **more}


def endpoint(address: str, *, pod: str = "", **conditions: bool | None) -> Raw:
    """An endpoint of an EndpointSlice, with the conditions that are said; `pod` is the name of the pod it is of."""
    said: Raw = {"conditions": conditions} if conditions else {}
    return {"addresses": [address], **said, **({"targetRef": {"kind": "Pod", "name": pod}} if pod else {})}


def slice_of(where: str, *endpoints: str | Raw, ports: Sequence[Raw] = ({"port": 8080},), name: str = "") -> Raw:
    """An EndpointSlice of the Service `where`; an endpoint may be its address alone."""
    made = [endpoint(item) if isinstance(item, str) else item for item in endpoints]
    home, _, service = where.partition("/")
    return {
        **named("EndpointSlice", f"{home}/{name or service}-x7", labels={"kubernetes.io/service-name": service}),
        "addressType": "IPv6" if made and ":" in made[0]["addresses"][0] else "IPv4",
        "endpoints": made,
        "ports": list(ports),
    }


def on_host(address: str, node: str = "n1") -> dict[str, Any]:
    """Arguments of a pod on its node's network."""
    return {"at": [address], "on": node, "spec": {"hostNetwork": True, "nodeName": node, "containers": []}}
