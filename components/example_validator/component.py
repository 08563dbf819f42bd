"""ExampleValidator: statistics and schema → anomalies; an anomaly of severity ERROR fails the run."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, channel, component_spec, standard_component_specs

from components.artifacts import DayProfilesArtifact
from components.example_validator.executor import Executor
from ranker.identity.code import code_fingerprint

_STOCK = standard_component_specs.ExampleValidatorSpec


class ExampleValidatorSpec(component_spec.ComponentSpec):
    """The interface of TFX's ExampleValidator, the reference window's profiles, a limit, and the code's fingerprint."""

    PARAMETERS = {
        "max_unseen": component_spec.ExecutionParameter(type=float, optional=True),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {**_STOCK.INPUTS, "profiles": component_spec.ChannelParameter(type=DayProfilesArtifact, optional=True)}
    OUTPUTS = _STOCK.OUTPUTS


class ExampleValidator(base_component.BaseComponent):
    """Fails the run if the data does not match the curated schema, or drifted beyond the schema's thresholds.

    TFX's own ExampleValidator writes the anomalies, and the run continues. This one fails the run on anomalies of
    severity ERROR, with their text. It compares the eval day with the same number of days before it, whatever the
    training starts from, and not with the split train. The drift is the number that the monitor shows. A column of
    categories may not have many more values that are new than is usual for it.

    Args:
        statistics: an ExampleStatistics channel with the splits train and eval.
        schema: a Schema channel.
        profiles: FeedLogGen's profiles of the eval day and the days before it; without them neither drift nor new
            values are measured.
        max_unseen: `Validation.max_unseen`; None uses its default.
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: BaseChannel,
        schema: BaseChannel,
        profiles: BaseChannel | None = None,
        max_unseen: float | None = None,
    ) -> None:
        super().__init__(
            ExampleValidatorSpec(
                statistics=statistics,
                schema=schema,
                profiles=profiles,
                **({} if max_unseen is None else {"max_unseen": max_unseen}),
                code_fingerprint=code_fingerprint("components.example_validator.executor"),
                anomalies=channel.Channel(type=_STOCK.OUTPUTS[standard_component_specs.ANOMALIES_KEY].type),
            )
        )
