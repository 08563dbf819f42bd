"""A local runner that reports how each component ended.

TFX's LocalDagRunner returns normally if a component was skipped or its inputs did not resolve, and does not report
cache hits. This one launches the same components in the same order, one of them beside others, and reports each.
"""

import datetime
import enum
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from google.protobuf.message import Message
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils, tfx_runner
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2

from pipeline.beam import shapes_output
from pipeline.local.beside import Beside, BesideOperator, Turn, cpu_seconds, pays_off
from pipeline.local.memory import PeakMemory
from ranker.command_line import explained
from ranker.plain_text import without_secrets

_LOG = logging.getLogger(__name__)


class State(enum.Enum):
    """How a component ended."""

    RAN = "ran"
    CACHED = "cached"
    FAILED = "failed"


@dataclass(frozen=True)
class OutputArtifact:
    """An artifact that a component wrote, or reused from an earlier run."""

    uri: str
    properties: dict[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComponentRun:
    """One component of one run.

    Attributes:
        component: its id in the pipeline.
        state: how it ended.
        seconds: from its launch to its end.
        outputs: its artifacts by output key.
        error: the exception's message if it failed; otherwise empty.
        cpu_seconds: CPU time on this machine between its launch and its end.
        peak_memory: largest resident memory of the runner's process meanwhile, in bytes; None of a component with a
            process of its own, or where the system does not tell.
    """

    component: str
    state: State
    seconds: float
    outputs: dict[str, list[OutputArtifact]] = field(default_factory=dict)
    error: str = ""
    cpu_seconds: float = 0.0
    peak_memory: int | None = None


class ObservedDagRunner(tfx_runner.IrBasedRunner):
    """Runs a pipeline on this machine, one component after the other, and stops at the first that fails.

    One component may run beside those that do not wait for it. If one of these fails, that component is still finished,
    and so are the components that wait for it alone: of two reasons why the data cannot be used, ExampleValidator gives
    the better one, and it is reported first.

    Args:
        on_start: called with each component's id before it is launched.
        on_end: called with each component's outcome.
        beside: id of a component on Beam that runs beside others where that pays off; None for none.
    """

    def __init__(
        self,
        on_start: Callable[[str], None],
        on_end: Callable[[ComponentRun], None],
        beside: str | None = "StatisticsGen",
    ) -> None:
        self._on_start = on_start
        self._on_end = on_end
        self._beside = beside
        self.runs: list[ComponentRun] = []

    def run_with_ir(
        self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None
    ) -> list[ComponentRun]:
        """Runs the compiled pipeline.

        Returns:
            The outcome of each component that ended, in the order of their ends. After a failure only the component
            that runs beside others and those that wait for it alone still end, so two may have failed.

        Raises:
            NotImplementedError: a partial run is requested through TFX's `run_options`.
        """
        if run_options is not None:
            raise NotImplementedError("partial runs are not supported; finished components come from the cache anyway")
        self.runs = []
        run_id = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, run_id)
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        connections = deployment.metadata_connection_config
        connection = getattr(connections, connections.WhichOneof("connection_config"))
        store = MetadataStore(connection)

        def launched(pipeline_node: pipeline_pb2.PipelineNode, turn: Turn | None = None) -> ComponentRun:
            component = pipeline_node.node_info.id
            executor_spec = runner_utils.extract_executor_spec(deployment, component)
            component_launcher = launcher.Launcher(
                pipeline_node=pipeline_node,
                mlmd_connection=metadata.Metadata(connection),
                pipeline_info=pipeline.pipeline_info,
                pipeline_runtime_spec=pipeline.runtime_spec,
                executor_spec=_without_places(executor_spec),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, component),
                custom_executor_operators={
                    executable_spec_pb2.BeamExecutableSpec: partial(_beam_operator, complete=executor_spec, turn=turn)
                },
            )
            if turn is None:
                before = cpu_seconds()
                with PeakMemory() as memory:
                    outcome = _launch(component, component_launcher, store)
                return replace(outcome, cpu_seconds=cpu_seconds() - before, peak_memory=memory.bytes)
            outcome = _launch(component, component_launcher, store)
            return replace(outcome, seconds=outcome.seconds - turn.waited, cpu_seconds=turn.cpu_seconds)

        def can_run_beside(component: str) -> bool:
            executor_spec = runner_utils.extract_executor_spec(deployment, component)
            return (
                component == self._beside
                and isinstance(executor_spec, executable_spec_pb2.BeamExecutableSpec)
                and pays_off(executor_spec.beam_pipeline_args)
            )

        self._run_all([node.pipeline_node for node in pipeline.nodes], launched, can_run_beside)
        return self.runs

    def _run_all(
        self,
        nodes: Sequence[pipeline_pb2.PipelineNode],
        launched: Callable[[pipeline_pb2.PipelineNode, Turn | None], ComponentRun],
        can_run_beside: Callable[[str], bool],
    ) -> None:
        """Runs the nodes in their order, but the one beside others first, and those that wait for it last."""
        waiting = sorted(nodes, key=lambda node: node.node_info.id != self._beside)
        running: Beside[ComponentRun] | None = None
        withheld: list[ComponentRun] = []  # the outcome of a component that failed beside another
        finished: set[str] = set()
        try:
            while waiting or running is not None:
                # After a failure beside another component, only what waits for that one.
                possible = [n for n in waiting if self._beside in n.upstream_nodes] if withheld else waiting
                node = next((node for node in possible if finished.issuperset(node.upstream_nodes)), None)
                if running is not None and (node is None or withheld):
                    ended, running = running.outcome(), None
                    if not self._ended(ended):
                        break
                    finished.add(ended.component)
                    continue
                if node is None:
                    break
                waiting.remove(node)
                component = node.node_info.id
                self._on_start(component)
                if can_run_beside(component):
                    running = Beside(component, partial(launched, node))
                    running.start()
                    continue
                outcome = launched(node, None)
                if running is not None and outcome.state is State.FAILED:
                    withheld.append(outcome)
                elif self._ended(outcome):
                    finished.add(component)
                else:
                    break
        finally:
            try:
                if running is not None:
                    running.stop()
            finally:
                for outcome in withheld:  # also of a run that is stopped, even twice: its summary has to say it
                    self._ended(outcome)

    def _ended(self, outcome: ComponentRun) -> bool:
        """Reports a component's outcome; returns whether it succeeded."""
        self.runs.append(outcome)
        self._on_end(outcome)
        return outcome.state is not State.FAILED


def _without_places(executor_spec: Message | None) -> Message | None:
    """The spec as the cache goes by it: without the arguments of Beam that only say where the work is done."""
    if not isinstance(executor_spec, executable_spec_pb2.BeamExecutableSpec):
        return executor_spec
    shown = executable_spec_pb2.BeamExecutableSpec()
    shown.CopyFrom(executor_spec)
    # TFX writes the arguments twice: as text, and as expressions, which it evaluates.
    shown.ClearField("beam_pipeline_args")
    shown.ClearField("beam_pipeline_args_placeholders")
    shown.beam_pipeline_args.extend(filter(shapes_output, executor_spec.beam_pipeline_args))
    shown.beam_pipeline_args_placeholders.extend(
        argument
        for argument in executor_spec.beam_pipeline_args_placeholders
        if shapes_output(argument.value.string_value)
    )
    return shown


def _beam_operator(
    executor_spec: Message, platform_config: Message | None = None, *, complete: Message, turn: Turn | None
) -> BeamExecutorOperator:
    """Runs a component on Beam with all arguments, those among them that the cache does not go by."""
    if turn is not None:
        return BesideOperator(complete, platform_config, turn)
    return BeamExecutorOperator(complete, platform_config)


def _launch(component: str, component_launcher: launcher.Launcher, store: MetadataStore) -> ComponentRun:
    start = time.monotonic()
    try:
        info = component_launcher.launch()
    except Exception as error:  # any exception of an executor is this component's outcome, and ends the run
        _LOG.exception("%s failed", component)
        return ComponentRun(component, State.FAILED, time.monotonic() - start, error=describe(error))
    seconds = time.monotonic() - start
    if info is None or info.execution_id is None:
        return ComponentRun(component, State.FAILED, seconds, error="its inputs are missing, so it was skipped")
    [execution] = store.get_executions_by_id([info.execution_id])
    if execution.last_known_state == metadata_store_pb2.Execution.CACHED:
        state = State.CACHED
    elif execution.last_known_state == metadata_store_pb2.Execution.COMPLETE:
        state = State.RAN
    else:
        name = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
        return ComponentRun(component, State.FAILED, seconds, error=f"its execution ended in the state {name}")
    return ComponentRun(component, state, seconds, outputs=_outputs(store, info.execution_id))


def describe(error: BaseException) -> str:
    """The exception's own message, without the secrets of URIs.

    The message of an error in a Beam worker also contains its traceback and the step's name. They are removed here,
    since they are in the log.
    """
    text = without_secrets(explained(error))
    if "Traceback (most recent call last)" in text:
        raised = list(re.finditer(r"^[A-Za-z_][\w.]*: ", text, flags=re.MULTILINE))
        if raised:
            text = text[raised[-1].end() :]
    return re.sub(r"\s*\[while running '[^']*'\]", "", text).strip()


def _outputs(store: MetadataStore, execution_id: int) -> dict[str, list[OutputArtifact]]:
    events = [
        event
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type in (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INTERNAL_OUTPUT)
    ]
    artifacts = {a.id: a for a in store.get_artifacts_by_id([e.artifact_id for e in events])} if events else {}
    outputs: dict[str, list[OutputArtifact]] = {}
    for event in events:
        artifact = artifacts[event.artifact_id]
        key = next((step.key for step in event.path.steps if step.WhichOneof("value") == "key"), "")
        properties = {
            name: getattr(value, value.WhichOneof("value"))
            for group in (artifact.properties, artifact.custom_properties)
            for name, value in group.items()
            if value.WhichOneof("value") in ("int_value", "double_value", "string_value")
        }
        outputs.setdefault(key, []).append(OutputArtifact(artifact.uri, properties))
    return outputs
