"""The Go programs of the test cluster, Kubernetes, CoreDNS, helm and Cilium, and the chart in Cilium's module.

Only what Go makes; images that carry the programs are made elsewhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.artifacts import gomodules
from tests.cluster.artifacts.cache import Artifact, Job
from tests.cluster.artifacts.commands import run
from tests.cluster.artifacts.gomodules import SOURCES, go_build, module_folder, pinned_version

CODE = (Path(gomodules.__file__),)

CILIUM_MODULE = "github.com/cilium/cilium"
CILIUM_TAGS = "ipam_provider_operator"
CILIUM_PROGRAMS = {
    "daemon": "usr/bin/cilium-agent",
    "cilium-dbg": "usr/bin/cilium-dbg",
    # The chart calls it by the name of upstream's build with that tag.
    "operator": "usr/bin/cilium-operator-generic",
    "cilium-health/responder": "usr/bin/cilium-health-responder",
    "plugins/cilium-cni": "opt/cni/bin/cilium-cni",
}


def _program(name: str, package: str, variables: Mapping[str, str]) -> Artifact:
    """Describe one program of the pinned module of the same name."""

    def build(job: Job) -> None:
        go_build(name, package, job.target / name, variables)

    parameters = (package, *(f"{key}={value}" for key, value in variables.items()))
    return Artifact(name, build, name, parameters=parameters, files=(SOURCES / name,), code=CODE)


def _kube() -> Artifact:
    version = pinned_version("kube", "k8s.io/kubernetes")
    major, minor, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return _program("kube", ".", {f"k8s.io/component-base/version.{key}": value for key, value in values.items()})


def _helm() -> Artifact:
    module = "helm.sh/helm/v3"
    minor = pinned_version("helm", "k8s.io/client-go").split(".")[1]
    variables = {f"{module}/internal/version.version": f"v{pinned_version('helm', module)}"}
    # What a chart is told where no cluster is asked; left alone, it would be a Kubernetes of long ago.
    for package in ("chartutil", "lint/rules"):
        variables[f"{module}/pkg/{package}.k8sVersionMajor"] = "1"
        variables[f"{module}/pkg/{package}.k8sVersionMinor"] = minor
    return _program("helm", f"{module}/cmd/helm", variables)


def _build_cilium(job: Job) -> None:
    variables = {f"{CILIUM_MODULE}/pkg/version.ciliumVersion": pinned_version("cilium", CILIUM_MODULE)}
    for package, place in CILIUM_PROGRAMS.items():
        go_build("cilium", f"{CILIUM_MODULE}/{package}", job.target / place, variables, CILIUM_TAGS)


def _copy_cilium_chart(job: Job) -> None:
    source = module_folder("cilium", CILIUM_MODULE) / "install/kubernetes/cilium"
    shutil.copytree(source, job.target, dirs_exist_ok=True)
    # Go keeps its module cache read-only, which would make the copy hard to remove.
    run(["chmod", "-R", "u+w", job.target], doing="make the chart writable")


ARTIFACTS = (
    _kube(),
    _program("coredns", ".", {}),
    _helm(),
    Artifact(
        "cilium",
        _build_cilium,
        parameters=(CILIUM_TAGS, *(f"{package}={place}" for package, place in CILIUM_PROGRAMS.items())),
        files=(SOURCES / "cilium",),
        code=CODE,
    ),
    Artifact("cilium-chart", _copy_cilium_chart, files=(SOURCES / "cilium",), code=CODE),
)
