"""What several files of this folder stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.agentstage import IMAGES, Stage, staged


@pytest.fixture(scope="module", params=IMAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A source and a target with each image in turn."""
    with staged(request.param) as made:
        yield made
