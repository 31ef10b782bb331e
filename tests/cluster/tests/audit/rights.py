"""The roles of deploy/kustomize in a cluster, whole or lacking one right, and the command under their account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import ROOT, Command, until
from tests.cluster.tests.audit.site import Object, Site

KUSTOMIZE = ROOT / "deploy" / "kustomize"
MODES = {"clone": ("read-only", "clone"), "sentinel": ("sentinel",), "inplace": ("read-only", "inplace")}
"""Whose rbac.yaml files, together, are the rights of a mode."""
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
        return f"{self.verb} {self.resource}{group}" + (f" in {self.home}" if self.home else "")


def objects_of(mode: str) -> list[Object]:
    """Everything that the kustomization of a mode makes."""
    files = [KUSTOMIZE / part / "rbac.yaml" for part in MODES[mode]]
    return [item for file in files for item in yaml.safe_load_all(file.read_text())]


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


def rights(mode: str) -> list[Right]:
    """The rights of a mode, each once."""
    return list(dict.fromkeys(right for item in objects_of(mode) for right in rights_of(item)))


def role_with(item: Object, kept: Sequence[Right]) -> Object:
    """A role that gives these rights and no others."""
    rules = [
        {"apiGroups": [it.group], "resources": [it.resource], "verbs": [it.verb]}
        | ({"resourceNames": [it.name]} if it.name else {})
        for it in kept
    ]
    return {**item, "rules": rules}


class Grants:
    """The rights of one mode, given to its account in a cluster."""

    def __init__(self, site: Site, mode: str) -> None:
        """Give all of them."""
        self._site = site
        self._objects = objects_of(mode)
        site.apply(*self._objects)
        for right in rights(mode):
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
