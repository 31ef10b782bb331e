"""The clusters of the demonstration: told apart by name, and broken in ways that exist."""

from __future__ import annotations

from auditor import guides
from auditor.cluster.saved import read_files
from auditor.scenes import ENFORCING, SCENES, scenes_with
from probes.backends.netns.faults import FAULTS


def test_story_has_one_cluster_that_enforces_and_others_with_known_faults() -> None:
    assert len({scene.key for scene in SCENES}) == len({scene.title for scene in SCENES}) == len(SCENES) == 3
    assert [scene for scene in SCENES if not scene.fault] == [ENFORCING]
    assert {scene.fault for scene in SCENES if scene.fault} <= set(FAULTS)


def test_any_fault_is_shown_beside_a_cluster_without_one() -> None:
    first, second = scenes_with("late-start", "A while.")

    assert first == ENFORCING
    assert (second.key, second.fault, second.story) == ("late-start", "late-start", "A while.")


def test_examples_of_the_guides_are_whole() -> None:
    snapshot, problems = read_files(guides.manifests(), bytes)

    assert problems == ()
    names = {f"{policy.namespace}/{policy.name}" for policy in snapshot.policies}
    assert {"default/deny-all", "staging/staging.db", "three-tier/backend-policy"} <= names
    assert {pod.namespace for pod in snapshot.pods} == {"default", "staging", "admin", "three-tier", "monitoring"}
