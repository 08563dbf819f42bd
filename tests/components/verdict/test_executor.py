import pytest
from tfx.types import channel_utils, standard_artifacts

from components.verdict.component import Verdict
from components.verdict.executor import Executor, NotBlessedError


def run(blessed: bool, push: str) -> None:
    blessing = standard_artifacts.ModelBlessing()
    blessing.set_int_custom_property("blessed", int(blessed))
    component = Verdict(channel_utils.as_channel([blessing]), push)
    Executor().Do({"blessing": [blessing]}, {}, component.exec_properties)


@pytest.mark.parametrize(("blessed", "push"), [(True, "true"), (True, "false"), (False, "true")])
def test_it_passes(blessed: bool, push: str) -> None:
    run(blessed, push)


def test_a_model_that_is_not_blessed_fails_a_run_that_publishes_nothing() -> None:
    with pytest.raises(NotBlessedError, match="the calibration report names the gates"):
        run(False, "false")
