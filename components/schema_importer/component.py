"""TFX's ImportSchemaGen with the content of the schema in the cache key, not only its path."""

import hashlib

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, component_spec, standard_artifacts, standard_component_specs

from components.schema_importer.executor import PROJECT_ROOT, Executor
from ranker.config.documents import to_json
from ranker.feed_log.columns import LogColumns
from ranker.identity.code import code_fingerprint


class SchemaImporterSpec(component_spec.ComponentSpec):
    """ImportSchemaGen's interface and a fingerprint of the file."""

    PARAMETERS = {
        standard_component_specs.SCHEMA_FILE_KEY: component_spec.ExecutionParameter(type=str),
        "content_fingerprint": component_spec.ExecutionParameter(type=str),
        "columns": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {
        standard_component_specs.SCHEMA_KEY: component_spec.ChannelParameter(type=standard_artifacts.Schema),
    }


class SchemaImporter(base_component.BaseComponent):
    """Imports a curated schema into the pipeline.

    Args:
        schema_file: the TFMD schema as a text proto. A path relative to the project's root is read from the project on
            the machine that the component runs on; it must be the same schema as where the pipeline is built.
        columns: the columns of the config; their kinds define how they are read.

    Raises:
        FileNotFoundError: there is no such file.
    """

    SPEC_CLASS = SchemaImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, schema_file: str, columns: LogColumns) -> None:
        path = PROJECT_ROOT / schema_file
        if not path.is_file():
            raise FileNotFoundError(
                f"{schema_file}: there is no such schema in the project; infer one with "
                "`python -m pipeline.infer_schema --help`"
            )
        super().__init__(
            spec=SchemaImporterSpec(
                schema_file=schema_file,
                content_fingerprint=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
                columns=to_json(columns),
                code_fingerprint=code_fingerprint("components.schema_importer.executor"),
                schema=channel.Channel(type=standard_artifacts.Schema),
            )
        )
