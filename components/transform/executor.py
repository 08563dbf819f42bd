"""Transform's executor: TFX's own, or the graph that the training goes on with."""

import os
from typing import Any

from tfx import types
from tfx.components.transform import executor as stock
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.training_start.artifact import start_of
from components.transform.reuse import SplitFiles, transform_by
from ranker.serving.state import TRANSFORM_GRAPH


class Executor(stock.Executor):
    """See `component.Transform`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the graph and the transformed examples."""
        start, state = start_of(input_dict)
        if start.is_cold:
            own = {key: artifacts for key, artifacts in input_dict.items() if key != "training_start"}
            super().Do(own, output_dict, exec_properties)
            return
        self._log_startup(input_dict, output_dict, exec_properties)
        graph = os.path.join(state, TRANSFORM_GRAPH)
        schema_uri = artifact_utils.get_single_uri(input_dict["schema"])
        transformed = artifact_utils.get_single_instance(output_dict["transformed_examples"])
        transformed.split_names = artifact_utils.get_single_instance(input_dict["examples"]).split_names
        splits = [
            SplitFiles(
                split,
                io_utils.all_files_pattern(artifact_utils.get_split_uri(input_dict["examples"], split)),
                os.path.join(artifact_utils.get_split_uri([transformed], split), "transformed_examples"),
            )
            for split in artifact_utils.decode_split_names(transformed.split_names)
        ]
        output = artifact_utils.get_single_uri(output_dict["transform_graph"])
        scratch = os.path.join(output, ".temp_path")
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
        transform_by(graph, schema, splits, self._make_beam_pipeline, scratch)
        io_utils.delete_dir(scratch)
        io_utils.copy_dir(graph, output)
