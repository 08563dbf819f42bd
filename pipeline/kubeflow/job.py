"""What is to run, and where: what the command line hands to `client`. Needs no kfp, which takes seconds to import."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class KubeflowError(RuntimeError):
    """The API server cannot be reached or refuses; the message is one line for the user."""


@dataclass(frozen=True)
class Connection:
    """The standard options of `kfp.Client`; None leaves one at its default.

    Attributes:
        host: the API server, such as `http://localhost:8080`; None takes the cluster that this runs in, or else the
            one of the kube config.
        namespace: the namespace of experiments and runs, on servers with several users.
        service_account_token: file with a token that Kubernetes renews, for code that runs inside the cluster.
        verify_ssl: whether the server's certificate is checked.
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
class Job:
    """What is to run.

    Attributes:
        package: the compiled pipeline.
        parameters: of the run; those that are left out stay at their defaults.
        experiment: the experiment that runs are grouped under; made where there is none.
        pipeline_root: where artifacts go; None takes the package's or the cluster's.
        service_account: the Kubernetes service account that the pods run as; None takes the cluster's.
    """

    package: Path
    parameters: Mapping[str, str]
    experiment: str
    pipeline_root: str | None = None
    service_account: str | None = None
