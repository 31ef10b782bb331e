"""`--sandbox`: what it needs, and what has no meaning beside it."""

from __future__ import annotations

from functools import partial

import pytest

from auditor.errors import UsageError
from auditor.flags import RUN_FORMATS, build_parser, options_from
from auditor.model.options import Options, Targets
from auditor.settings import parse


def options(*words: str) -> Options:
    return options_from(build_parser(RUN_FORMATS, "0").parse_args(["run", *words]))


def test_a_run_is_of_a_cluster_unless_it_is_said() -> None:
    assert not options().sandbox
    assert not options().fault


def test_a_sandbox_takes_manifests_and_a_fault() -> None:
    found = options("--sandbox", "-f", "k8s", "--fault", "ingress-only")
    assert (found.sandbox, found.fault) == (True, "ingress-only")


def test_a_sandbox_has_services() -> None:
    assert options("--sandbox", "-f", "k8s", "--targets", "service").targets is Targets.SERVICE


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["-f", "k8s"], "-f belongs to --sandbox"),
        (["--fault", "ingress-only"], "--fault belongs to --sandbox"),
        (["--sandbox"], "--sandbox has nothing to run"),
    ],
)
def test_one_is_nothing_without_the_other(words: list[str], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        options(*words)


@pytest.mark.parametrize(
    "words",
    [
        ["--mode", "sentinel"],
        ["--mode", "shadow"],
        ["--mode", "inplace"],
        ["--targets", "real"],
        ["--transport", "logs"],
        ["--external", "203.0.113.7:443=deny"],
        ["--ping"],
        ["--enforce-time"],
        ["--resume", "last"],
        ["--context", "prod"],
        ["--kubeconfig", "config"],
        ["--image", "netshoot"],
        ["--rate", "5"],
        ["--journal", "runs"],
    ],
    ids=" ".join,
)
def test_what_is_about_a_cluster_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{words[0]}.* has no meaning with --sandbox"):
        options("--sandbox", "-f", "k8s", *words)


def test_what_is_about_a_cluster_is_refused_wherever_it_is_set() -> None:
    make = partial(build_parser, RUN_FORMATS, "0")
    flags, _ = parse(["run", "--sandbox", "-f", "k8s"], make, {"NETAUDIT_RATE": "5"})
    with pytest.raises(UsageError, match="--rate 5 has no meaning with --sandbox"):
        options_from(flags)
