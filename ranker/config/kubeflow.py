"""What a pipeline asks of the Kubeflow cluster that it runs on: the part `kubeflow` of a config."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED

_DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

KubernetesName = Annotated[str, Field(pattern=_DNS_LABEL, max_length=253)]
Folder = Annotated[str, Field(pattern=r"^/[^\s]*[^\s/]$")]
Memory = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$")]
Cores = Annotated[float, Field(gt=0.0)]

EVERY_COMPONENT = "*"


@dataclass(frozen=True, config=CHECKED)
class Resources:
    """What one component's container gets; None asks for nothing.

    Attributes:
        cpu_request: cores that the node must have free.
        cpu_limit: cores that it may use at most.
        memory_request: memory that the node must have free, such as "8Gi".
        memory_limit: memory beyond which it is killed.
        gpus: accelerators; a node with a taint of that name is tolerated.
        gpu_resource: the accelerator's name as a Kubernetes resource.
        node_selector: labels that the node must have.
    """

    cpu_request: Cores | None = None
    cpu_limit: Cores | None = None
    memory_request: Memory | None = None
    memory_limit: Memory | None = None
    gpus: Annotated[int, Field(ge=0)] = 0
    gpu_resource: str = "nvidia.com/gpu"
    node_selector: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, config=CHECKED)
class Volume:
    """A PersistentVolumeClaim, mounted as a folder.

    Attributes:
        claim: the claim's name; it must exist, and be ReadWriteMany where several components that run at the same
            time mount it on several nodes.
        path: the folder that it appears as.
        components: the components that see it; all where none are named.
    """

    claim: KubernetesName
    path: Folder
    components: tuple[str, ...] = ()


@dataclass(frozen=True, config=CHECKED)
class Secret:
    """Keys of a Kubernetes Secret: as environment variables, as files, or both.

    Attributes:
        name: the Secret's name; it must exist in the namespace of the runs.
        env: environment variable → key of the Secret.
        path: a folder with one file per key.
        components: the components that see it; all where none are named.
    """

    name: KubernetesName
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], str] = Field(default_factory=dict)
    path: Folder | None = None
    components: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _seen(self) -> Self:
        if not self.env and self.path is None:
            raise ValueError(f"secret {self.name}: name environment variables in env, a folder in path, or both")
        return self


@dataclass(frozen=True, config=CHECKED)
class Notification:
    """Where the end of a run is told: the URL of a webhook that takes {"text": "…"}, as Slack's and Teams' do.

    Attributes:
        secret: the Secret that holds the URL, which lets anyone write there and so belongs into no spec.
        key: the URL's key in it.
        on: whether to tell of every run or of failed ones only.
    """

    secret: KubernetesName
    key: str = "url"
    on: Literal["failure", "always"] = "failure"


@dataclass(frozen=True, config=CHECKED)
class Kubeflow:
    """The cluster's side of a pipeline.

    Attributes:
        push_destination: the folder of versions that blessed models go to. The default is a folder of the config's
            name on the volume below, which TF Serving can mount as well.
        pipeline_root: where artifacts go, such as `s3://bucket/feed`; None takes the cluster's own default.
        volumes: claims to mount.
        secrets: Secrets that components see.
        image_pull_secrets: Secrets of the registry that the image comes from.
        resources: component → what its container gets; `*` stands for every component that is not named.
        retries: how often a failed component is started again before the run fails.
        notification: where the end of a run is told; None tells nobody.
    """

    push_destination: str | None = None
    pipeline_root: str | None = None
    volumes: tuple[Volume, ...] = (
        Volume("feed-ranker-models", "/models", components=("TrainingStart", "ServingModel", "Pusher")),
    )
    secrets: tuple[Secret, ...] = ()
    image_pull_secrets: tuple[KubernetesName, ...] = ()
    resources: dict[str, Resources] = Field(
        default_factory=lambda: {
            EVERY_COMPONENT: Resources(cpu_request=2, memory_request="8Gi", memory_limit="8Gi"),
        }
    )
    retries: Annotated[int, Field(ge=0)] = 0
    notification: Notification | None = None

    def resources_of(self, component: str) -> Resources:
        """What one component's container gets."""
        return self.resources.get(component, self.resources.get(EVERY_COMPONENT, Resources()))

    def named_components(self) -> set[str]:
        """Every component that a setting names."""
        seen = (*(volume.components for volume in self.volumes), *(secret.components for secret in self.secrets))
        return {name for names in seen for name in names} | (set(self.resources) - {EVERY_COMPONENT})
