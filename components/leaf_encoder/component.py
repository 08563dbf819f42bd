"""LeafEncoder: transformed examples and a forest → examples with one leaf per tree."""

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel, component_spec, standard_artifacts

from components.artifacts import ForestArtifact
from components.leaf_encoder.executor import Executor
from ranker.identity.code import code_fingerprint


class LeafEncoderSpec(component_spec.ComponentSpec):
    """LeafEncoder's parameter, inputs and output."""

    PARAMETERS = {"code_fingerprint": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "transformed_examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "forest": component_spec.ChannelParameter(type=ForestArtifact),
    }
    OUTPUTS = {"leaf_examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}


class LeafEncoder(base_beam_component.BaseBeamComponent):
    """Encodes every row of every split once, so that the epochs of the towers read leaves instead of features.

    A row keeps all its tensors except `forest_features`, which is replaced by `leaves`: one bytes value with one
    little-endian uint16 per tree, or uint32 if the forest has more than 65,536 leaves.

    Args:
        transformed_examples: Transform's materialised examples.
        forest: the forest to encode with.
    """

    SPEC_CLASS = LeafEncoderSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, transformed_examples: channel.BaseChannel, forest: channel.BaseChannel) -> None:
        super().__init__(
            LeafEncoderSpec(
                transformed_examples=transformed_examples,
                forest=forest,
                code_fingerprint=code_fingerprint("components.leaf_encoder.executor"),
                leaf_examples=channel.Channel(type=standard_artifacts.Examples),
            )
        )
