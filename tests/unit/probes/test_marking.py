"""The ephemeral container, what admission and the kubelet make of it, and what befalls its pod."""

from __future__ import annotations

import os
import subprocess
import sys
from copy import deepcopy
from typing import Any

import pytest

from auditor.model.probe import NotPlaced, Placed, Role, StandIn
from probes.agents import stopper_of, text_of
from probes.backends.kubernetes.pods import HOPELESS
from probes.marking import (
    BOUNDED,
    altered,
    ephemeral_container,
    gone,
    lost,
    marks_in,
    patch_of,
    reaction,
    rehearsal,
    settled,
    unsettled_reason,
)
from probes.placement import AgentSpec, Marks, choose_agent
from tests.evidence import WEB

RESIDENT = StandIn("r0", Role.RESIDENT, "shop", "n1", (("app", "web"),), (WEB,), pod="web", uid="uid-web")
MARKS = Marks("aaaaaa", "1", "later")
AGENT = AgentSpec("busybox:1.37", text_of("shell"), 600, "shell", stopper=stopper_of("shell"))
NAME = "netaudit-aaaaaa-r0"
Raw = dict[str, Any]


def container(agent: AgentSpec = AGENT) -> Raw:
    return ephemeral_container(RESIDENT, MARKS, agent, "nonce", 1_900_000_000)


def a_pod(state: Raw | None = None, **status: Any) -> Raw:
    """The marked pod, with the state of our container in it."""
    told = [] if state is None else [{"name": NAME, "state": state}]
    ready = {"type": "Ready", "status": "True"}
    usual = {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "conditions": [ready], "containerStatuses": []}
    return {
        "metadata": {"namespace": "shop", "name": "web", "uid": "uid-web", "labels": {"app": "web"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "c"}], "ephemeralContainers": [container()]},
        "status": {**usual, "ephemeralContainerStatuses": told, **status},
    }


def test_the_container_is_as_restricted_as_podsecurity_can_ask() -> None:
    """And has nothing that an ephemeral container may not have: no resources, ports, probes or target."""
    made = container()

    assert made["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert made.keys() == {"name", "image", "imagePullPolicy", "command", "env", "securityContext", "stdin", "tty"}
    assert (made["name"], made["stdin"], made["tty"]) == (NAME, False, False)


def test_the_patch_is_for_that_very_pod() -> None:
    assert patch_of(RESIDENT, container())["metadata"] == {"uid": "uid-web"}


@pytest.mark.parametrize("agent", ["shell", "python"])
@pytest.mark.parametrize(("until", "life"), [(-5, 0), (30, 30), (5000, 600)])
def test_no_agent_outlives_its_run_whenever_it_starts(agent: str, until: int, life: int) -> None:
    """A container whose image was long in coming ends at once, or lives as long as is left; never beyond its limit."""
    script = {"shell": "echo $NETAUDIT_DEADLINE", "python": "print(os.environ['NETAUDIT_DEADLINE'])"}[agent]
    clock = int(subprocess.run(["date", "+%s"], capture_output=True, check=True).stdout)
    told = {"NETAUDIT_AGENT": script, "NETAUDIT_UNTIL": str(clock + until), "NETAUDIT_DEADLINE": "600"}
    words = [sys.executable if word == "python3" else word for word in BOUNDED[agent]]

    done = subprocess.run(words, env={**os.environ, **told}, capture_output=True, text=True, check=True)

    assert life - 10 <= int(done.stdout or 0) <= life


@pytest.mark.parametrize("agent", ["shell", "python"])
def test_what_ends_an_agent_ends_nothing_else(agent: str) -> None:
    """Every process with its nonce goes, however many there are; others of the same user stay."""
    own, other = (
        {**os.environ, "NETAUDIT_NONCE": nonce} for nonce in (f"mine{agent}{os.getpid()}", f"his{os.getpid()}")
    )
    doomed = [subprocess.Popen(["sleep", "60"], env=own) for _ in range(2)]
    spared = subprocess.Popen(["sleep", "60"], env=other)
    spec = AgentSpec("", "", 1, agent, stopper=stopper_of(agent))
    words = [sys.executable if word == "python3" else word for word in spec.stop]
    try:
        subprocess.run(words, env=own, check=False, capture_output=True, timeout=30)
        assert [process.wait(timeout=30) for process in doomed] == [-15, -15]
        assert spared.poll() is None
    finally:
        spared.kill()
        spared.wait()


def changed(**parts: Any) -> Raw:
    stored = a_pod()
    stored["spec"]["ephemeralContainers"][0] |= parts
    return stored


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (a_pod(), ""),
        (changed(image="mirror/busybox:1.37"), ""),
        (changed(env=[*container()["env"], {"name": "HTTP_PROXY", "value": "x"}]), ""),
        (changed(command=["sleep"]), "admission changed its command"),
        (changed(env=[]), "admission changed its env"),
        (changed(securityContext={"privileged": True}), "admission changed its securityContext"),
        (changed(securityContext=container()["securityContext"] | {"runAsUser": 0}), "changed its securityContext"),
        (changed(volumeMounts=[{"name": "token"}]), "resources, ports or volumes"),
        ({"spec": {}}, "admission took the container away"),
    ],
)
def test_what_admission_made_of_it(stored: Raw, reason: str) -> None:
    """Only what was shown to be harmless may run; another name for the image, and more env, are."""
    assert reason in altered(container(), stored)
    assert bool(reason) == bool(altered(container(), stored))


def test_an_empty_value_is_not_stored() -> None:
    """An agent without listeners has no ports, and the API server leaves an empty value out."""
    sent, stored = container(), a_pod()
    for item, kept in zip(sent["env"], stored["spec"]["ephemeralContainers"][0]["env"], strict=True):
        if item["name"] == "NETAUDIT_PORTS":
            item["value"] = ""
            del kept["value"]

    assert altered(sent, stored) == ""


def test_a_changed_image_is_told_after_a_dry_run() -> None:
    found = rehearsal(RESIDENT, container(), changed(image="mirror/busybox:1.37"))

    assert (found.refusal, found.notes) == ("", ("its image to mirror/busybox:1.37",))


def look(raw: Raw) -> str:
    found = settled(RESIDENT, raw, NAME, "nonce", HOPELESS)
    return found.reason if isinstance(found, NotPlaced) else "placed" if found else "open"


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (a_pod(), "open"),
        (a_pod({"waiting": {"reason": "PodInitializing"}}), "open"),
        (a_pod({"running": {}}), "placed"),
        (
            a_pod({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
            "ImagePullBackOff: no such image",
        ),
        (a_pod({"waiting": {"reason": "CreateContainerConfigError"}}), "CreateContainerConfigError: no message"),
        (a_pod({"terminated": {"exitCode": 127, "reason": "Error"}}), "its container ended with exit code 127 Error"),
        ({**a_pod(), "metadata": {"uid": "other"}}, "the pod was removed or replaced"),
        (a_pod({"running": {}}, podIPs=[{"ip": "nonsense"}]), "the stored pod cannot be read"),
    ],
)
def test_what_became_of_a_container(raw: Raw, state: str) -> None:
    assert look(raw).startswith(state)


def test_what_is_judged_is_the_pod_as_it_is_stored() -> None:
    found = settled(RESIDENT, a_pod({"running": {}}), NAME, "nonce", HOPELESS)

    assert isinstance(found, Placed)
    assert (found.pod.name, found.pod.addresses, found.container) == ("web", ("10.0.0.1",), NAME)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (a_pod(), "the kubelet has not begun with it"),
        (a_pod({"waiting": {"reason": "ContainerCreating"}}), "ContainerCreating"),
        (a_pod({"waiting": {"reason": "ErrImagePull", "message": "no route"}}), "no route"),
        (None, "the kubelet has not begun with it"),
    ],
)
def test_what_a_container_waits_for(raw: Raw | None, reason: str) -> None:
    assert unsettled_reason(raw, NAME) == f"its container does not run in time: {reason}"


def running() -> Placed:
    found = settled(RESIDENT, a_pod({"running": {}}), NAME, "nonce", HOPELESS)
    assert isinstance(found, Placed)
    return found


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (a_pod({"running": {}}), ""),
        (a_pod({"terminated": {}}), "its container has ended"),
        (a_pod({"running": {}}, podIPs=[{"ip": "10.0.0.2"}]), "its addresses were changed"),
        (None, "the pod was removed or replaced"),
        ({**a_pod(), "metadata": {**a_pod()["metadata"], "deletionTimestamp": "now"}}, "the pod is being deleted"),
        ({**a_pod(), "metadata": {**a_pod()["metadata"], "labels": {}}}, "its labels were changed"),
    ],
)
def test_an_agent_speaks_for_its_pod_as_long_as_both_stay(raw: Raw | None, reason: str) -> None:
    assert lost(running(), raw) == reason
    if raw is None:
        assert gone(RESIDENT, raw) == reason


def fares(**parts: Any) -> str:
    now = a_pod()
    for key, value in parts.items():
        now[key] = {**now[key], **value}
    return reaction(a_pod(), now)


def restarted(count: int, why: str = "") -> Raw:
    return {"containerStatuses": [{"name": "c", "restartCount": count, "lastState": {"terminated": {"reason": why}}}]}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, ""),
        ({"status": {"phase": "Running"}}, ""),
        ({"status": restarted(1, "OOMKilled")}, "container c of the marked pod shop/web restarted (OOMKilled)"),
        ({"status": restarted(1)}, "container c of the marked pod shop/web restarted"),
        ({"status": {"conditions": []}}, "the marked pod shop/web is not ready any more"),
        (
            {"status": {"phase": "Failed", "reason": "Evicted", "message": "memory"}},
            "the marked pod shop/web was ended: Evicted memory",
        ),
        ({"metadata": {"deletionTimestamp": "now"}, "status": {"conditions": []}}, ""),
        ({"metadata": {"uid": "other"}, "status": {"phase": "Failed"}}, ""),
    ],
)
def test_what_befalls_a_marked_pod_ends_the_run(parts: Raw, said: str) -> None:
    """But for what its owner does with it: a rollout deletes it."""
    assert fares(**parts) == said


def test_restarts_from_before_do_not_count() -> None:
    before = a_pod(**restarted(3))

    assert reaction(before, a_pod(**restarted(3))) == ""
    assert "restarted" in reaction(before, a_pod(**restarted(4)))


def test_marks_are_found_in_any_pod() -> None:
    """Those of all runs, with what became of each; what others put there is theirs."""
    two = a_pod({"terminated": {}})
    two["spec"]["ephemeralContainers"] += [{"name": "debugger-1"}, {"name": "netaudit-bbbbbb-r1"}]
    plain = deepcopy(two) | {"spec": {}}

    assert marks_in([plain, two]) == [
        ("shop", "web", NAME, "its agent has ended"),
        ("shop", "web", "netaudit-bbbbbb-r1", "it has not started, and ends at once if it does so after its run"),
    ]


def test_both_agents_can_be_bounded_and_ended() -> None:
    for agent in {choose_agent("auto", image) for image in ("busybox", "netaudit:1")}:
        assert BOUNDED[agent]
        assert stopper_of(agent)
