"""Calls a Kubeflow Pipelines API server through `kfp.Client`."""

import contextlib
import io
import json
import logging
import ssl
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError

import kfp
import kfp_server_api
import urllib3
from kfp.client import set_volume_credentials

from pipeline.kubeflow.job import Connection, Job, KubeflowError, RunEnd
from pipeline.kubeflow.spec import PIPELINE_TASK

_ANSWER_TIMEOUT_S = 10
_PAGE = 100
_UNANSWERED = 20
"""Questions in a row that a server may leave unanswered while a run is waited for, such as when it is restarted."""
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_ROOT_TASK = "root"


class KubeflowClient:
    """The API calls of this project.

    Raises:
        KubeflowError: the server does not answer or refuses; raised on construction and by every method.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        if connection.host and not connection.proxy:
            _check_answers(connection)
        credentials = None
        if connection.service_account_token:
            path = str(connection.service_account_token)
            credentials = set_volume_credentials.ServiceAccountTokenVolumeCredentials(path)
        with self._refusals():
            self._client = kfp.Client(
                host=connection.host,
                namespace=connection.namespace or "kubeflow",
                client_id=connection.client_id,
                other_client_id=connection.other_client_id,
                other_client_secret=connection.other_client_secret,
                existing_token=connection.existing_token,
                cookies=connection.cookies,
                proxy=connection.proxy,
                ssl_ca_cert=str(connection.ssl_ca_cert) if connection.ssl_ca_cert else None,
                kube_context=connection.kube_context,
                credentials=credentials,
                verify_ssl=connection.verify_ssl,
            )

    def submit(self, job: Job, run_name: str) -> str:
        """Starts one run and returns its id."""
        with self._refusals():
            result = self._client.create_run_from_pipeline_package(
                str(job.package),
                arguments=dict(job.parameters),
                run_name=run_name,
                experiment_id=self._experiment(job),
                pipeline_root=job.pipeline_root,
                service_account=job.service_account,
            )
        return result.run_id

    def wait(self, run_id: str, seconds: float = 15.0) -> RunEnd:
        """Waits until a run has ended. A server that does not answer for some minutes meanwhile is asked again.

        Args:
            run_id: from `submit`.
            seconds: between two questions to the server.
        """
        unanswered = 0
        while True:
            try:
                end = self._end_of(run_id)
            except KubeflowError as error:
                unanswered += 1
                if unanswered > _UNANSWERED or _is_final(error.__cause__):
                    raise
            else:
                unanswered = 0
                if end is not None:
                    return end
            time.sleep(seconds)

    def _end_of(self, run_id: str) -> RunEnd | None:
        """How a run ended, or None if it has not."""
        with self._refusals():
            run = self._client.get_run(run_id)
            state = str(run.state)
            tasks = (run.run_details.task_details or []) if run.run_details else []
            failed = {task.display_name for task in tasks if str(task.state) == "FAILED"}
        if state not in _ENDED:
            return None
        # A DAG that contains a task which failed has failed, too.
        return RunEnd(state, tuple(sorted(failed - {PIPELINE_TASK, _ROOT_TASK, run.display_name})))

    def schedule(self, job: Job, name: str, cron: str, description: str, catch_up: bool) -> tuple[str, list[str]]:
        """Starts a run at every time of the cron expression, one at a time; replaces any schedule with the same name.

        The new schedule is created before the old ones are deleted. So if the server refuses it, the old ones stay
        active.

        Args:
            job: the job to run.
            name: the schedule's name.
            cron: six fields, seconds first.
            description: shown with the schedule on the cluster's web page.
            catch_up: whether missed times run later, one after another.

        Returns:
            The id of the new schedule, and the ids of the replaced ones.
        """
        with self._refusals():
            experiment = self._experiment(job)
            earlier = list(self._schedules(name, experiment))
            created = self._client.create_recurring_run(
                experiment,
                name,
                description=description,
                cron_expression=cron,
                max_concurrency=1,
                no_catchup=not catch_up,
                params=dict(job.parameters),
                pipeline_package_path=str(job.package),
                pipeline_root=job.pipeline_root,
                service_account=job.service_account,
            )
        new = created.recurring_run_id
        for number, recurring_run_id in enumerate(earlier):
            try:
                with self._refusals():
                    self._client.delete_recurring_run(recurring_run_id)
            except KubeflowError as error:
                left = ", ".join(earlier[number:])
                raise KubeflowError(
                    f"{error}; the new schedule {new} is active beside the earlier {left}; the same command replaces "
                    "all of them"
                ) from error
        return new, earlier

    def page(self, kind: str, identity: str) -> str:
        """The web page of a `run` or a `recurringrun`; only its path if no host was given."""
        return f"{(self._connection.host or '').rstrip('/')}/#/{kind}s/details/{identity}".removeprefix("/")

    def _experiment(self, job: Job) -> str:
        return self._client.create_experiment(job.experiment, namespace=self._connection.namespace).experiment_id

    def _schedules(self, name: str, experiment: str) -> Iterator[str]:
        wanted = {"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]}
        token = ""
        while True:
            found = self._client.list_recurring_runs(
                page_token=token, page_size=_PAGE, experiment_id=experiment, filter=json.dumps(wanted)
            )
            # If a server ignores the filter, other schedules must not be deleted.
            yield from (run.recurring_run_id for run in found.recurring_runs or [] if run.display_name == name)
            token = found.next_page_token
            if not token:
                return

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turns kfp's exceptions into one-line errors, and suppresses what kfp prints and logs."""
        where = self._connection.host or "the Kubeflow Pipelines API server"
        before = logging.root.manager.disable
        logging.disable(logging.ERROR)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except kfp_server_api.ApiException as error:
            raise KubeflowError(f"{where} refused: {_reason(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise KubeflowError(f"{where} does not answer: {error}") from error
        except (AttributeError, KeyError, TimeoutError, TypeError, ValueError) as error:
            raise KubeflowError(f"{where} answers, but not as Kubeflow Pipelines does: {error}") from error
        except Exception as error:  # kfp passes on what its own dependencies raise, such as for a bad kube config
            raise KubeflowError(f"{where} cannot be reached: {error}") from error
        finally:
            logging.disable(before)


def _is_final(cause: BaseException | None) -> bool:
    """Whether a server has answered that it refuses, rather than that it cannot answer now."""
    if not isinstance(cause, kfp_server_api.ApiException):
        return False
    return bool(cause.status < _SERVER_ERROR and cause.status != _TOO_MANY_REQUESTS)


def _check_answers(connection: Connection) -> None:
    """Sends one request, as kfp retries an unreachable host for minutes."""
    host = connection.host or ""
    url = host if "://" in host else f"https://{host}"
    context = ssl.create_default_context(cafile=connection.ssl_ca_cert)
    if not connection.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_TIMEOUT_S, context=context):
            return
    except HTTPError:
        return  # it answers; whether it accepts an anonymous request does not matter
    except (URLError, OSError, ValueError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise KubeflowError(f"{host} does not answer: {reason}; is --host right, and the port forwarded?") from None


def _reason(error: kfp_server_api.ApiException) -> str:
    """The status, and the API server's message if it sent one."""
    try:
        body: Any = json.loads(error.body or "")
        text = body.get("error") or body.get("message") or ""
    except (ValueError, AttributeError):
        text = ""
    return f"{error.status} {error.reason}" + (f": {text}" if text else "")
