"""CalibrationReport's executor: reads what the other components wrote and writes the page."""

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.artifacts import REPORT_FILE
from components.calibration_report.reading import read_inputs
from ranker.reports.calibration.page import report_page


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
            ValueError: an artifact without the file that its component writes; the message names it.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        page = report_page(read_inputs(input_dict, exec_properties))
        uri = artifact_utils.get_single_uri(output_dict["report"])
        fileio.makedirs(uri)
        path = os.path.join(uri, REPORT_FILE)
        aside = f"{path}.part"
        with fileio.open(aside, "w") as file:
            file.write(page)
        fileio.rename(aside, path, overwrite=True)
