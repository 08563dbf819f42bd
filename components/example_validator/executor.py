"""ExampleValidator's executor: writes the same output as TFX's own, and fails if the data must not be used."""

import os
from datetime import date, timedelta
from typing import Any

from absl import logging
from tfx import types
from tfx.components.example_validator import executor as stock
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, writer_utils

from components.day_profiles import read_profiles
from components.example_validator.validation import DataAnomalyError, sort_out, validate
from ranker.config.validation import Validation
from ranker.monitoring.drift import Drift, measure_drift
from ranker.monitoring.unseen import problem_of, unseen_values

_EPOCH = date(1970, 1, 1)


class Executor(base_executor.BaseExecutor):
    """Validates the statistics of each split against the schema, and the eval day against the reference window."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the anomalies of every split, with the paths and format of TFX's own ExampleValidator.

        Raises:
            DataAnomalyError: there is an anomaly of severity ERROR; warnings are logged and stay in the artifact.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        statistics = artifact_utils.get_single_instance(input_dict[specs.STATISTICS_KEY])
        schema_uri = artifact_utils.get_single_uri(input_dict[specs.SCHEMA_KEY])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
        splits = artifact_utils.decode_split_names(statistics.split_names)
        drift, unseen = _compared(input_dict, exec_properties.get("max_unseen"))
        found = validate(
            {split: stats_artifact_utils.load_statistics(statistics, split).proto() for split in splits},
            schema,
            drift,
            unseen,
        )

        output = artifact_utils.get_single_instance(output_dict[specs.ANOMALIES_KEY])
        output.split_names = statistics.split_names
        output.span = statistics.span
        blessed = {}
        for split, anomalies in found.items():
            folder = artifact_utils.get_split_uri([output], split)
            writer_utils.write_anomalies(os.path.join(folder, stock.DEFAULT_FILE_NAME), anomalies)
            clean = not (anomalies.anomaly_info or anomalies.HasField("dataset_anomaly_info"))
            blessed[split] = stock.BLESSED_VALUE if clean else stock.NOT_BLESSED_VALUE
        output.set_json_value_custom_property(stock.ARTIFACT_PROPERTY_BLESSED_KEY, blessed)

        errors, warnings = sort_out(found, _EPOCH + timedelta(days=statistics.span) if statistics.span else None)
        for warning in warnings:
            logging.warning("data anomaly: %s", warning)
        if errors:
            listed = ";\n".join(f"  {error}" for error in errors)
            raise DataAnomalyError(f"the data does not match the schema:\n{listed}")


def _compared(
    input_dict: dict[str, list[types.Artifact]], max_unseen: float | None
) -> tuple[dict[str, Drift], dict[str, str]]:
    """The eval day's drift, and what is wrong with its new values, by feature; empty without profiles."""
    if not input_dict.get("profiles"):
        return {}, {}
    *window, day = read_profiles(artifact_utils.get_single_uri(input_dict["profiles"])).values()
    limit = Validation().max_unseen if max_unseen is None else max_unseen
    unseen = {
        name: problem_of(values, limit) for name, values in unseen_values(day, window).items() if values.exceeds(limit)
    }
    return measure_drift(day, window), unseen
