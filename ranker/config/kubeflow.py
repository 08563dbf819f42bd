"""What a pipeline requests from the Kubeflow cluster: the field `kubeflow` of a config."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Ordered, Real, Whole

_DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

MAX_PIPELINE_NAME = 22
"""Characters of a pipeline's name. Argo adds up to 41 to it, such as `-8bzv4-system-container-driver-4040758857`, and a
pod's host name has 63 at most; Kubeflow Pipelines looks pods up by it (kubeflow/pipelines#11235).
"""

_MAX_LABEL = 63  # of a DNS label; a pod's volume has the name of its claim or Secret

KubernetesName = Annotated[str, Field(pattern=_DNS_LABEL, max_length=253)]
VolumeName = Annotated[str, Field(pattern=_DNS_LABEL, max_length=_MAX_LABEL)]
Folder = Annotated[str, Field(pattern=r"^/[^\s]*[^\s/]$")]
Memory = Annotated[str, Field(pattern=r"^(0\.\d*[1-9]\d*|[1-9]\d{0,11}(\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?$")]
Cores = Annotated[Real, Field(gt=0.0, le=10_000.0)]

EVERY_COMPONENT = "*"

_UNITS = {"": 1.0, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def bytes_of(memory: Memory) -> float:
    """Kubernetes' notation of an amount of memory as a number of bytes.

    Example:
        >>> bytes_of("8Gi")
        8589934592.0
    """
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", memory).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]


@dataclass(frozen=True, config=CHECKED)
class Resources:
    """Resources of one component's container; None requests nothing.

    Attributes:
        cpu_request: cores that the node must have free.
        cpu_limit: maximum cores.
        memory_request: memory that the node must have free, such as "8Gi".
        memory_limit: maximum memory; a container that exceeds it is killed.
        gpus: number of accelerators; a taint with the name `gpu_resource` is tolerated.
        gpu_resource: the accelerator's name as a Kubernetes resource.
        node_selector: labels that the node must have.

    Raises:
        ValueError: a limit is below its request.

    Example:
        >>> forest = Resources(cpu_request=8, memory_request="16Gi", memory_limit="32Gi", node_selector={"pool": "cpu"})
    """

    cpu_request: Cores | None = None
    cpu_limit: Cores | None = None
    memory_request: Memory | None = None
    memory_limit: Memory | None = None
    gpus: Annotated[Whole, Field(ge=0, le=1_000)] = 0
    gpu_resource: str = "nvidia.com/gpu"
    node_selector: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.cpu_request and self.cpu_limit and self.cpu_request > self.cpu_limit:
            raise ValueError(f"cpu_limit: {self.cpu_limit:g} is below cpu_request, {self.cpu_request:g}")
        if self.memory_request and self.memory_limit and bytes_of(self.memory_request) > bytes_of(self.memory_limit):
            raise ValueError(f"memory_limit: {self.memory_limit} is below memory_request, {self.memory_request}")
        return self


@dataclass(frozen=True, config=CHECKED)
class Volume:
    """A PersistentVolumeClaim, mounted as a folder.

    Attributes:
        claim: the claim's name. The claim must exist, and be ReadWriteMany if components that run at the same time on
            different nodes mount it.
        path: the folder where it is mounted.
        components: the components that mount it; empty for all.

    Example:
        >>> log = Volume("feed-log", "/feed_log", components=("FeedLogGen",))
    """

    claim: VolumeName
    path: Folder
    components: Ordered[str] = ()


@dataclass(frozen=True, config=CHECKED)
class Secret:
    """Keys of a Kubernetes Secret: as environment variables, as files, or both.

    Attributes:
        name: the Secret's name; it must exist in the namespace of the runs.
        env: environment variable → key of the Secret.
        path: the folder where it is mounted, with one file per key.
        components: the components that get it; empty for all.

    Raises:
        ValueError: neither `env` nor `path` is given, or the name is too long for a volume.

    Example:
        >>> credentials = Secret("s3", env={"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"})
    """

    name: KubernetesName
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], str] = Field(default_factory=dict)
    path: Folder | None = None
    components: Ordered[str] = ()

    @model_validator(mode="after")
    def _seen(self) -> Self:
        if not self.env and self.path is None:
            raise ValueError(f"secret {self.name}: name environment variables in env, a folder in path, or both")
        if self.path is not None and len(self.name) > _MAX_LABEL:
            raise ValueError(
                f"secret {self.name}: a Secret with a path is a volume of the pod, whose name has at most "
                f"{_MAX_LABEL} characters"
            )
        return self


@dataclass(frozen=True, config=CHECKED)
class Notification:
    """A notification at the end of a run: a webhook that takes {"text": "…"}, as Slack's and Teams' do.

    Attributes:
        secret: the Secret with the URL. Anyone with the URL can post there, so it must not be in a spec.
        key: the URL's key in the Secret.
        on: whether to report every run or only failed ones.
        web_page: the address of Kubeflow Pipelines' web page, such as `https://kubeflow.example/pipeline`. With it the
            message has a link to the run.
        reasons: whether a component that fails reports by itself why; then every component mounts the Secret. The
            message at the end of a run cannot contain the reason, as the backend does not pass it on. A component that
            is retried reports every attempt, and one whose pod is killed reports nothing.

    Example:
        >>> Notification(secret="chat-webhook", on="always").key
        'url'
    """

    secret: VolumeName
    key: str = "url"
    on: Literal["failure", "always"] = "failure"
    web_page: Annotated[str, Field(pattern=r"^https?://[^\s#]+$")] | None = None
    reasons: bool = False


@dataclass(frozen=True, config=CHECKED)
class Kubeflow:
    """How a pipeline runs on a Kubeflow cluster.

    Attributes:
        push_destination: the folder of versions that blessed models are pushed to. The default is a folder with the
            config's name on the volume below, which TF Serving can mount as well.
        pipeline_root: where artifacts are stored, such as `s3://bucket/feed`; None uses the cluster's default.
        volumes: claims to mount.
        secrets: Secrets for components.
        image_pull_secrets: Secrets of the image registry.
        resources: component → resources of its container; `*` applies to every component without an entry.
        retries: how often a failed component is retried before the run fails. The first retry waits for 30 s, each
            further one for twice as long; all end within a day of the first attempt's start.
        notification: the webhook for the end of a run; None sends no notification.

    Example:
        >>> cluster = Kubeflow(
        ...     pipeline_root="s3://bucket/feed",
        ...     resources={"*": Resources(memory_request="8Gi"), "TowerTrainer": Resources(gpus=1)},
        ...     notification=Notification(secret="slack"),
        ... )
        >>> cluster.resources_of("TowerTrainer").gpus
        1
    """

    push_destination: str | None = None
    pipeline_root: str | None = None
    volumes: Ordered[Volume] = (
        Volume(
            "feed-ranker-models",
            "/models",
            components=("TrainingStart", "EffectsTrainer", "ServingModel", "Pusher", "EffectsUpdater", "BatchScorer"),
        ),
    )
    secrets: Ordered[Secret] = ()
    image_pull_secrets: Ordered[KubernetesName] = ()
    resources: dict[str, Resources] = Field(
        default_factory=lambda: {
            EVERY_COMPONENT: Resources(cpu_request=2, memory_request="8Gi", memory_limit="8Gi"),
        }
    )
    retries: Annotated[Whole, Field(ge=0, le=100)] = 0
    notification: Notification | None = None

    def resources_of(self, component: str) -> Resources:
        """The resources of one component's container."""
        return self.resources.get(component, self.resources.get(EVERY_COMPONENT, Resources()))

    def named_components(self) -> set[str]:
        """Every component that a setting names."""
        seen = (*(volume.components for volume in self.volumes), *(secret.components for secret in self.secrets))
        return {name for names in seen for name in names} | (set(self.resources) - {EVERY_COMPONENT})
