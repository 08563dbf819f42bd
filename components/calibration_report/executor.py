"""CalibrationReport's executor: reads what the other components wrote and writes the page."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.artifacts import REPORT_FILE
from components.calibration_report.reading import read_inputs
from ranker.files import write_text
from ranker.reports.calibration.page import report_page
from ranker.storage import join


class Executor(base_executor.BaseExecutor):
    """Writes `report.html`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the page.

        Raises:
            ValueError: an artifact lacks the file that its component writes; the message names the file.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        page = report_page(read_inputs(input_dict, exec_properties))
        uri = artifact_utils.get_single_uri(output_dict["report"])
        write_text(join(uri, REPORT_FILE), page)
