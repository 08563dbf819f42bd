"""Transform's executor: analyses the split train, or reuses the parent's graph."""

import functools
import os
from typing import Any

from tfx import types
from tfx.components.util import udf_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils

from components.artifacts import start_of
from ranker.config.columns import Features
from ranker.config.documents import from_json
from ranker.features.transform import SplitFiles, analyse_and_transform, transform_by
from ranker.registry.layout import TRANSFORM_GRAPH

_ANALYSED = "train"


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `component.Transform`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the graph and the transformed examples."""
        self._log_startup(input_dict, output_dict, exec_properties)
        start, state = start_of(input_dict)
        schema_uri = artifact_utils.get_single_uri(input_dict["schema"])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
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
        graph = artifact_utils.get_single_uri(output_dict["transform_graph"])
        scratch = os.path.join(graph, ".temp_path")
        if start.is_cold:
            config = json_utils.loads(exec_properties["custom_config"])
            function = udf_utils.get_fn(exec_properties, standard_component_specs.PREPROCESSING_FN_KEY)
            function = functools.partial(function, custom_config=config)
            features = from_json(Features, config["features"])
            analyse_and_transform(
                function, features, _ANALYSED, schema, splits, graph, self._make_beam_pipeline, scratch
            )
        else:
            earlier = os.path.join(state, TRANSFORM_GRAPH)
            transform_by(earlier, splits, self._make_beam_pipeline, scratch)
        io_utils.delete_dir(scratch)
        if not start.is_cold:
            io_utils.copy_dir(earlier, graph)
