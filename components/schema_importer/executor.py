"""SchemaImporter's executor: TFX's own, for a schema that lies in the project, wherever the project lies."""

from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.schema_gen.import_schema_gen import executor as stock
from tfx.types import standard_component_specs

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class Executor(stock.Executor):
    """Copies the schema into the artifact."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact; a relative path starts at the project's root on the machine that this runs on."""
        path = PROJECT_ROOT / exec_properties[standard_component_specs.SCHEMA_FILE_KEY]
        super().Do(input_dict, output_dict, exec_properties | {standard_component_specs.SCHEMA_FILE_KEY: str(path)})
