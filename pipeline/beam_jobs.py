"""Beam's runners for job services (Flink, Spark and others), with what they lack.

- A client that is stopped cancels its job, which would otherwise go on writing.
- A job service that cannot be reached is named, and so are the workers where a connection to them may have failed.
- The state of a job is followed for as long as it takes; Beam's own client gives up after `--job_server_timeout` where
  the job service knows a job by the name that it was prepared under, as Beam's service in Python does.
"""

import logging
import re
from typing import Any

import grpc
from apache_beam import Pipeline
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.runners.portability.flink_runner import FlinkRunner
from apache_beam.runners.portability.portable_runner import JobServiceHandle, PortableRunner
from apache_beam.runners.portability.spark_runner import SparkRunner
from apache_beam.runners.runner import PipelineResult

_LOG = logging.getLogger(__name__)
_UNREACHABLE = re.compile(r"UNAVAILABLE|[Cc]onnection refused|[Ff]ailed to connect|io exception|Connection reset")


class _UnhurriedHandle(JobServiceHandle):  # type: ignore[misc] # Beam has no type hints
    """Limits the time of requests, and not that of the streams of a job's states and messages."""

    def run(self, preparation_id: str) -> Any:
        self.timeout = None
        return super().run(preparation_id)


class _Job(PipelineResult):  # type: ignore[misc]
    """A running job that is cancelled when its client is stopped while it waits."""

    def __init__(self, job: PipelineResult, where: str) -> None:
        self._job = job
        self._where = where

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    @property
    def state(self) -> Any:
        return self._job.state

    def metrics(self) -> Any:
        return self._job.metrics()

    def cancel(self) -> None:
        self._job.cancel()

    def wait_until_finish(self, duration: int | None = None) -> Any:
        """Waits for the end of the job.

        Args:
            duration: milliseconds to wait at most; None waits until the job ends.

        Raises:
            RuntimeError: the job failed.
        """
        try:
            return self._job.wait_until_finish(duration)
        except Exception as error:
            if _UNREACHABLE.search(str(error)):
                raise RuntimeError(f"{error} ({self._where})") from error
            raise
        except BaseException:
            _LOG.warning("stopped, so the job is cancelled: %s", self._where)
            try:
                self._job.cancel()
            except grpc.RpcError as error:
                _LOG.warning("the job could not be cancelled: %s", error)
            raise


class _Jobs:
    """What is added to a runner of Beam that submits to a job service."""

    def create_job_service(self, options: PipelineOptions) -> JobServiceHandle:
        try:
            return super().create_job_service(options)  # type: ignore[misc]
        except grpc.FutureTimeoutError:
            endpoint = options.view_as(PortableOptions).job_endpoint
            raise RuntimeError(f"Beam's job service at --job_endpoint={endpoint} does not answer") from None

    def create_job_service_handle(self, job_service: Any, options: PipelineOptions) -> JobServiceHandle:
        handle = super().create_job_service_handle(job_service, options)  # type: ignore[misc]
        return _UnhurriedHandle(job_service, handle.options, retain_unknown_options=handle._retain_unknown_options)

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        portable = options.view_as(PortableOptions)
        where = (
            f"job service {portable.job_endpoint or 'of the runner'}, "
            f"workers {portable.environment_type} {portable.environment_config or ''}".rstrip()
        )
        return _Job(super().run_pipeline(pipeline, options), where)  # type: ignore[misc]


class PortableJobs(_Jobs, PortableRunner):  # type: ignore[misc]
    """Beam's PortableRunner with the additions of this module."""


class FlinkJobs(_Jobs, FlinkRunner):  # type: ignore[misc]
    """Beam's FlinkRunner with the additions of this module."""


class SparkJobs(_Jobs, SparkRunner):  # type: ignore[misc]
    """Beam's SparkRunner with the additions of this module."""
