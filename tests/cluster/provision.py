"""What a cluster is made of, from the artifacts' store: the only importer of it in the running of clusters."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import artifacts
from tests.cluster.spec import Engine


def kube() -> Path:
    """Kubernetes' programs, kubectl among them, as one file."""
    return artifacts.ensure("kube")


def prepare(engine: Engine | None) -> None:
    """Build what is missing before anything is started, so that no cluster waits half-made; None is no node at all."""
    kube()
    if engine is None:
        return
    artifacts.ensure(_template(engine))
    if engine is Engine.CILIUM:
        helm()
        cilium_chart()


def images(engine: Engine, target: Path) -> None:
    """Give a node the images, unpacked already, as its containerd's root."""
    artifacts.clone_containerd_root(artifacts.ensure(_template(engine)), target)


def helm() -> Path:
    """The helm program."""
    return artifacts.ensure("helm")


def cilium_chart() -> Path:
    """The folder of Cilium's own chart."""
    return artifacts.ensure("cilium-chart")


def _template(engine: Engine) -> str:
    return "containerd-cilium" if engine is Engine.CILIUM else "containerd-plain"
