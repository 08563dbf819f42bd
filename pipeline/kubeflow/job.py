"""A job and the connection to the cluster, which the command line passes to `client`.

This module does not import kfp, which takes seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VERDICT = "Verdict"
"""The task that fails alone where the model of a run that publishes nothing is not blessed."""


class KubeflowError(RuntimeError):
    """The API server cannot be reached or refuses; the message is one line for the user."""


@dataclass(frozen=True)
class Connection:
    """The standard options of `kfp.Client`; None uses the option's default.

    Attributes:
        host: the API server, such as `http://localhost:8080`; None uses the cluster that this runs in, or else that of
            the kube config.
        namespace: the namespace of experiments and runs, on multi-user servers.
        service_account_token: file with a token that Kubernetes renews, for code that runs inside the cluster.
        verify_ssl: whether the server's certificate is verified.
    """

    host: str | None = None
    namespace: str | None = None
    client_id: str | None = None
    other_client_id: str | None = None
    other_client_secret: str | None = None
    existing_token: str | None = None
    cookies: str | None = None
    proxy: str | None = None
    ssl_ca_cert: Path | None = None
    kube_context: str | None = None
    service_account_token: Path | None = None
    verify_ssl: bool = True


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Attributes:
        state: the API server's word for it, such as SUCCEEDED.
        failed_tasks: names of the components that failed, sorted.
    """

    state: str
    failed_tasks: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether every component did its work."""
        return self.state == "SUCCEEDED"


@dataclass(frozen=True)
class Job:
    """A job to run.

    Attributes:
        package: the compiled pipeline.
        parameters: parameters of the run; missing ones have their defaults.
        experiment: the experiment that groups the runs; created if it does not exist.
        pipeline_root: where artifacts are stored; None uses the cluster's default, whatever the package says.
        service_account: the Kubernetes service account of the pods; None uses the cluster's.
    """

    package: Path
    parameters: Mapping[str, str]
    experiment: str
    pipeline_root: str | None = None
    service_account: str | None = None
