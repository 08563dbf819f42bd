"""ExampleValidator: statistics and schema → anomalies, of which an error fails the run."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, channel, component_spec, standard_component_specs

from components.example_validator.executor import Executor
from ranker.identity.code import code_fingerprint

_STOCK = standard_component_specs.ExampleValidatorSpec


class ExampleValidatorSpec(component_spec.ComponentSpec):
    """The interface of TFX's ExampleValidator and a fingerprint of the code."""

    PARAMETERS = {"code_fingerprint": component_spec.ExecutionParameter(type=str)}
    INPUTS = _STOCK.INPUTS
    OUTPUTS = _STOCK.OUTPUTS


class ExampleValidator(base_component.BaseComponent):
    """Keeps data that does not fit the curated schema, or drifted further than it allows, from being trained on.

    TFX's own ExampleValidator writes its findings and goes on. This one fails the run on anomalies of severity ERROR,
    with their text, and compares the eval day with the train days wherever the schema sets a drift threshold.

    Args:
        statistics: an ExampleStatistics channel with the splits train and eval.
        schema: a Schema channel.
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, statistics: BaseChannel, schema: BaseChannel) -> None:
        super().__init__(
            ExampleValidatorSpec(
                statistics=statistics,
                schema=schema,
                code_fingerprint=code_fingerprint("components.example_validator.executor"),
                anomalies=channel.Channel(type=_STOCK.OUTPUTS[standard_component_specs.ANOMALIES_KEY].type),
            )
        )
