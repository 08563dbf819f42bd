"""SchemaImporter's executor: TFX's own, for a path relative to the project's root on any machine."""

import os
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.schema_gen.import_schema_gen import executor as stock
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils

from ranker.config.documents import from_json
from ranker.features.representation import add_tensor_representations
from ranker.feed_log.columns import LogColumns

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class Executor(stock.Executor):
    """Copies the schema into the artifact and adds the tensor representations of its columns."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact; a relative path is relative to the project's root on this machine.

        Raises:
            ValueError: the schema lacks a feature of the config, or has it with another type than its kind's.
        """
        path = PROJECT_ROOT / exec_properties[standard_component_specs.SCHEMA_FILE_KEY]
        super().Do(input_dict, output_dict, exec_properties | {standard_component_specs.SCHEMA_FILE_KEY: str(path)})
        uri = artifact_utils.get_single_uri(output_dict[standard_component_specs.SCHEMA_KEY])
        written = os.path.join(uri, stock.schema_gen_executor.DEFAULT_FILE_NAME)
        schema = io_utils.SchemaReader().read(written)
        add_tensor_representations(schema, from_json(LogColumns, exec_properties["columns"]).columns)
        io_utils.write_pbtxt_file(written, schema)
