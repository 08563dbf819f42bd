"""The artifact type that CalibrationReport writes."""

from tfx.types.artifact import Artifact

REPORT_FILE = "report.html"


class CalibrationReportArtifact(Artifact):
    """A folder with `report.html`, which needs no other file and no network.

    The type has a namespace, because TFX compiles other artifact types of one's own for no Kubeflow.
    """

    TYPE_NAME = "feed_ranker.CalibrationReport"
