"""Beam's runner in this process, without its cache of state.

Beam weighs every value before it caches it, and each time first walks through the globals of all imported modules. With
TensorFlow and TFX imported, this takes longer than the work of many stages. In one process, state and side inputs are
in memory without a cache.
"""

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, worker_handlers
from apache_beam.runners.runner import PipelineResult


class InProcessRunner(FnApiRunner):
    """Beam's FnApiRunner with one worker in this process, and no cache of state.

    Example:
        >>> with beam.Pipeline(runner=InProcessRunner()) as pipeline:
        ...     ...
    """

    def run_via_runner_api(
        self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> PipelineResult:
        """Runs a pipeline."""
        # For a worker in its own process the size is an option; for this one it is a constant.
        size = worker_handlers.STATE_CACHE_SIZE_MB
        worker_handlers.STATE_CACHE_SIZE_MB = 0
        try:
            return super().run_via_runner_api(pipeline_proto, options)
        finally:
            worker_handlers.STATE_CACHE_SIZE_MB = size
