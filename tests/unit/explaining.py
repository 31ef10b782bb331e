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


def on_host(address: str, node: str = "n1") -> dict[str, Any]:
    """Arguments of a pod on its node's network."""
    return {"at": [address], "on": node, "spec": {"hostNetwork": True, "nodeName": node, "containers": []}}
