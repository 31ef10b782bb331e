"""The ephemeral containers of a namespace's pods, as the API server and the kubelets have them."""

from __future__ import annotations

from tests.cluster.tests.audit.site import Object, Site


def pods(site: Site, home: str) -> dict[str, Object]:
    """The pods of a namespace, by name."""
    return {item["metadata"]["name"]: item for item in site.items(f"/api/v1/namespaces/{home}/pods")}


def marks(site: Site, home: str) -> dict[str, list[str]]:
    """The names of ephemeral containers, by pod."""
    found = {
        name: [item["name"] for item in pod["spec"].get("ephemeralContainers") or ()]
        for name, pod in pods(site, home).items()
    }
    return {name: names for name, names in found.items() if names}


def agents(site: Site, home: str, state: str) -> list[str]:
    """Names of the agents in a state, as the kubelets report them."""
    return [
        item["name"]
        for pod in pods(site, home).values()
        for item in pod["status"].get("ephemeralContainerStatuses") or ()
        if state in item["state"]
    ]


def restarts(site: Site, home: str) -> dict[str, int]:
    """How often the containers of a pod were started again, by pod."""
    return {
        name: sum(one["restartCount"] for one in pod["status"]["containerStatuses"])
        for name, pod in pods(site, home).items()
    }
