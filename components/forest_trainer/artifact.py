"""The artifact type that ForestTrainer writes."""

from tfx.types.artifact import Artifact, Property, PropertyType


class ForestArtifact(Artifact):
    """A folder that `ranker.forest.model.Forest.load` reads, with the training curve beside the forest's own files."""

    TYPE_NAME = "Forest"
    PROPERTIES = {
        "trees": Property(type=PropertyType.INT),
        "leaves": Property(type=PropertyType.INT),
        "features": Property(type=PropertyType.INT),
        "fingerprint": Property(type=PropertyType.STRING),
    }
