"""Verdict: blessing → success or failure of a run that publishes nothing."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, component_spec, standard_artifacts

from components.verdict.executor import PUSH, Executor


class VerdictSpec(component_spec.ComponentSpec):
    """Verdict's parameter and input."""

    PARAMETERS = {PUSH: component_spec.ExecutionParameter(type=str)}
    INPUTS = {"blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing)}
    OUTPUTS: dict[str, component_spec.ChannelParameter] = {}


class Verdict(base_component.BaseComponent):
    """Fails in a run with `push` "false" whose model is not blessed, for `kubeflow_runner.py submit --no-push`.

    A cluster reports of a run no more than which tasks failed. In other runs this does nothing: a model that is not
    blessed ends them well.

    Args:
        blessing: Evaluator's.
        push: Pusher's parameter.
    """

    SPEC_CLASS = VerdictSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, blessing: channel.BaseChannel, push: str | RuntimeParameter) -> None:
        super().__init__(VerdictSpec(blessing=blessing, push=push))
