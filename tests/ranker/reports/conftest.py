"""Inputs and pages that several tests share."""

import pytest

from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.calibration.page import report_page
from tests.ranker.reports.documents import blessed_inputs


@pytest.fixture(scope="package")
def inputs() -> ReportInputs:
    """The inputs of a blessed model with a serving model."""
    return blessed_inputs()


@pytest.fixture(scope="package")
def page(inputs: ReportInputs) -> str:
    """Their page."""
    return report_page(inputs)
