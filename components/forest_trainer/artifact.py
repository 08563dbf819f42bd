"""The artifact type that ForestTrainer writes."""

from tfx.types.artifact import Artifact


class ForestArtifact(Artifact):
    """A folder that `ranker.forest.model.Forest.load` reads, with the training curve beside the forest's own files.

    Its custom properties say how many `trees`, `leaves` and `features` there are, and the `fingerprint`. They are not
    declared, and the type has a namespace, because TFX compiles other artifact types of one's own for no Kubeflow.
    """

    TYPE_NAME = "feed_ranker.Forest"
