"""The artifact type that TrainingStart writes, and how the other components read it."""

import os
from collections.abc import Mapping, Sequence

from tfx.types.artifact import Artifact

from components.training_start.plan import STATE_FOLDER, Plan, read_plan


class TrainingStartArtifact(Artifact):
    """A folder with `plan.json` (see `plan.Plan`) and, unless it is a cold start, `state`: what the parent carries.

    `state` holds `forest`, `transform_graph` and the towers' weights, as `ranker.serving.state` lays them out. The
    string custom properties `start` and `parent` say what was decided.
    """

    TYPE_NAME = "feed_ranker.TrainingStart"


def start_of(input_dict: Mapping[str, Sequence[Artifact]]) -> tuple[Plan, str]:
    """The plan that a component was handed as its input `training_start`, and the folder of the parent's state.

    A component that was handed none starts cold; the folder exists only where the start is not cold.
    """
    artifacts = input_dict.get("training_start") or []
    if not artifacts:
        return Plan("cold", "there is no training start"), ""
    return read_plan(artifacts[0].uri), os.path.join(artifacts[0].uri, STATE_FOLDER)
