"""Inputs and pages that several tests look at."""

import pytest

from ranker.report.inputs import ReportInputs
from ranker.report.page import report_page
from tests.ranker.report.documents import blessed_inputs


@pytest.fixture(scope="package")
def inputs() -> ReportInputs:
    """Of a blessed model beside a serving one."""
    return blessed_inputs()


@pytest.fixture(scope="package")
def page(inputs: ReportInputs) -> str:
    """Their page."""
    return report_page(inputs)
