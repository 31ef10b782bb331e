"""What holds for every format of a prediction: the same bytes each time, and hostile text that stays text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given

from auditor.model.prediction import Prediction
from auditor.model_flags import PREDICT_FORMATS
from reports.prediction import PREDICTIONS
from tests.unit.reports.prediction.samples import SAMPLES, open_questions
from tests.unit.reports.prediction.strategies import predictions

ROOT = Path(__file__).parents[4]


def test_formats_are_those_that_the_help_names() -> None:
    assert PREDICT_FORMATS == tuple(PREDICTIONS)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_same_prediction_gives_same_bytes_in_another_process(name: str) -> None:
    """Nothing depends on hash seeds or the order in which sets are walked."""
    program = (
        "import sys; from reports.prediction import PREDICTIONS; "
        "from tests.unit.reports.prediction.samples import open_questions; "
        f"sys.stdout.buffer.write(PREDICTIONS[{name!r}](open_questions()).encode())"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)

    assert PREDICTIONS[name](open_questions()) == run.stdout.decode()


@pytest.mark.parametrize("name", PREDICTIONS)
@given(prediction=predictions())
def test_no_control_or_bidi_character_leaves_any_format(name: str, prediction: Prediction) -> None:
    text = PREDICTIONS[name](prediction)

    assert [] == sorted({char for char in text.replace("\r\n", "\n") if not char.isprintable() and char != "\n"})
    assert text.endswith("\n")


@pytest.mark.parametrize("name", PREDICTIONS)
@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_every_sample_has_a_text_in_every_format(name: str, sample: Prediction) -> None:
    assert PREDICTIONS[name](sample).strip()
