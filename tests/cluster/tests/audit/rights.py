"""The roles of deploy/kustomize in a cluster, whole or lacking one right, and the command under their account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import ROOT, Command, until
from tests.cluster.tests.audit.site import Object, Site

KUSTOMIZE = ROOT / "deploy" / "kustomize"
OVERLAYS = tuple(sorted(file.parent.name for file in KUSTOMIZE.glob("*/kustomization.yaml")))
"""The folders of roles, each of which is applied alone."""
RBAC = "rbac.authorization.k8s.io"
HOME = "netaudit"
ACCOUNT = f"system:serviceaccount:{HOME}:netaudit"
GROUPS = ["system:serviceaccounts", f"system:serviceaccounts:{HOME}", "system:authenticated"]


class Right(NamedTuple):
    """One verb on one resource, in one namespace or (where `home` is empty) in all."""

    home: str
    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        """Say it as `kubectl auth can-i` would be asked."""
        group = f".{self.group}" if self.group else ""
        name = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{group}{name}" + (f" in {self.home}" if self.home else "")


def objects_of(overlay: str) -> list[Object]:
    """Everything that a kustomization makes."""
    stored = yaml.safe_load((KUSTOMIZE / overlay / "kustomization.yaml").read_text())
    made: list[Object] = []
    for name in stored["resources"]:
        below = name.startswith("../")
        file = KUSTOMIZE / overlay / name
        made += objects_of(name.removeprefix("../")) if below else yaml.safe_load_all(file.read_text())
    for patch in stored.get("patches") or ():
        wanted = patch["target"]["kind"], patch["target"]["name"]
        for item in made:
            if (item["kind"], item["metadata"]["name"]) == wanted:
                _patch(item, yaml.safe_load(patch["patch"]))
    return made


def _patch(item: Object, steps: Sequence[Object]) -> None:
    """Carry out the few operations of a JSON patch that kustomizations here make use of."""
    for step in steps:
        *outer, last = step["path"].strip("/").split("/")
        place: Any = item
        for part in outer:
            place = place[int(part) if isinstance(place, list) else part]
        where = int(last) if isinstance(place, list) and last != "-" else last
        if step["op"] == "test":
            assert place[where] == step["value"], step
        elif step["op"] == "replace":
            place[where] = step["value"]
        else:
            assert (step["op"], last) == ("add", "-"), step
            place.append(step["value"])


def rights_of(item: Object) -> list[Right]:
    """The rights that one role gives, in its order; none for what is no role."""
    home = item["metadata"].get("namespace", "")
    return [
        Right(home, group, resource, verb, name)
        for rule in item.get("rules") or ()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    ]


def rights(overlay: str) -> list[Right]:
    """The rights that an overlay gives, each once."""
    return list(dict.fromkeys(right for item in objects_of(overlay) for right in rights_of(item)))


def role_with(item: Object, kept: Sequence[Right]) -> Object:
    """A role that gives these rights and no others."""
    rules = [
        {"apiGroups": [it.group], "resources": [it.resource], "verbs": [it.verb]}
        | ({"resourceNames": [it.name]} if it.name else {})
        for it in kept
    ]
    return {**item, "rules": rules}


class Grants:
    """The rights of one overlay, given to its account in a cluster."""

    def __init__(self, site: Site, overlay: str) -> None:
        """Give all of them."""
        self._site = site
        self._objects = objects_of(overlay)
        site.apply(*self._objects)
        for right in rights(overlay):
            self._await(right, allowed=True)

    def command(self, folder: Path) -> Command:
        """Give the command under that account."""
        return Command(folder, as_account(self._site.cluster, folder))

    @contextmanager
    def lacking(self, right: Right) -> Iterator[None]:
        """Take one right away, whichever roles give it, for as long as the block lasts."""
        givers = [item for item in self._objects if right in rights_of(item)]
        for item in givers:
            self._store(role_with(item, [other for other in rights_of(item) if other != right]))
        try:
            self._await(right, allowed=False)
            yield
        finally:
            for item in givers:
                self._store(item)
            self._await(right, allowed=True)

    def _store(self, item: Object) -> None:
        home = item["metadata"].get("namespace")
        place = f"namespaces/{home}/roles" if home else "clusterroles"
        status, answer = self._site.api.request("PUT", f"/apis/{RBAC}/v1/{place}/{item['metadata']['name']}", item)
        assert status == 200, answer

    def _await(self, right: Right, *, allowed: bool) -> None:
        resource, _, subresource = right.resource.partition("/")
        asked = {
            "namespace": right.home,
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "name": right.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": ACCOUNT, "groups": GROUPS, "resourceAttributes": asked},
        }

        def holds() -> bool:
            _, answer = self._site.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
            return bool(answer["status"]["allowed"]) == allowed

        until(holds, f"{right}: {'allowed' if allowed else 'not allowed'}", 30)
