"""The artifact types of this project, and how components read them.

Each type has a namespace, because TFX does not compile custom artifact types without one for Kubeflow.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from tfx.types.artifact import Artifact

from ranker.feed_log.day import resolve_day
from ranker.identity.training import TrainingIdentity, identify
from ranker.registry.plan import STATE_FOLDER, StartPlan, read_plan

EVALUATION_FILE = "gates.json"
HISTORY_FILE = "history.json"
TENSORBOARD_FOLDER = "tensorboard"
REPORT_FILE = "report.html"
TRAINING_CURVE_FILE = "training_curve.json"

USUAL_ROWS = "usual_rows"
"""Custom property of FeedLogGen's examples: the median of the rows of the days before the eval day."""
ROWS_PER_DAY, MISSING_DAYS = "rows_per_day", "missing_days"
"""Custom properties of FeedLogGen's examples; `rows_of` and `days_of` read them."""
SHARD_DAYS = "shard_days"
"""Custom property of FeedLogGen's examples: the days of the split train; `files_by_day` reads it."""
FEED_LOG_WARNINGS = "feed_log_warnings"
"""Custom property of FeedLogGen's examples: what is unusual about the rows, one line per warning."""
PRESENT, VERSION, BASELINE_REASON = "present", "version", "baseline_reason"
"""Custom properties of ServingModel's model: 1 if there is a baseline, its version, and why it is not the version that
serves; see `ranker.registry.baseline.BaselineChoice`."""
NOT_PUSHED = "not_pushed"
"""Custom property of Pusher's pushed model and of EffectsUpdater's update: why it was not pushed; not set otherwise."""
SOURCE_FINGERPRINT = "source_fingerprint"
"""Custom property of FeedLogGen's examples: the fingerprint of the content of the days of the window."""


class CalibrationReportArtifact(Artifact):
    """A folder with `report.html`, which needs no other file and no network."""

    TYPE_NAME = "feed_ranker.CalibrationReport"


class DayProfilesArtifact(Artifact):
    """A folder with the feature profiles of the eval day and of the days that it is compared with.

    There is a file `YYYY-MM-DD.json` per day, a `StoredProfile`. The eval day is the newest.
    """

    TYPE_NAME = "feed_ranker.DayProfiles"


class EffectsUpdateArtifact(Artifact):
    """A folder with `effects.json`, an `EffectsSummary` of `ranker.effects_update.update`."""

    TYPE_NAME = "feed_ranker.EffectsUpdate"


class ForestArtifact(Artifact):
    """A folder that `ranker.forest.model.Forest.load` reads, with the training curve.

    Its custom properties are the numbers of `trees`, `leaves` and `features`, and the `fingerprint`. They are not
    declared, as Kubeflow accepts no properties of custom types.
    """

    TYPE_NAME = "feed_ranker.Forest"


class TrainingStartArtifact(Artifact):
    """A folder with `plan.json` (see `StartPlan`) and, unless it is a cold start, `state`: the parent's training state.

    `state` contains `forest`, `transform_graph` and the towers' weights, in the layout of
    `ranker.export.training_state`. The string custom properties `start` and `parent` are those of the plan.
    """

    TYPE_NAME = "feed_ranker.TrainingStart"


def start_of(input_dict: Mapping[str, Sequence[Artifact]]) -> tuple[StartPlan, str]:
    """The plan in a component's input `training_start`, and the folder of the parent's state.

    A component without this input starts cold. The folder exists only if the start is not cold.
    """
    artifacts = input_dict.get("training_start") or []
    if not artifacts:
        return StartPlan("cold", "there is no training start"), ""
    return read_plan(artifacts[0].uri), os.path.join(artifacts[0].uri, STATE_FOLDER)


def training_of(input_dict: Mapping[str, Sequence[Artifact]], day: str, recipe: str) -> TrainingIdentity:
    """The identity of the training that a component takes part in.

    Args:
        input_dict: the component's inputs, with `examples` and optionally `training_start`.
        day: the held-out day, in any form that `ranker.feed_log.day` reads.
        recipe: fingerprint of config, schema and code.
    """
    plan, _ = start_of(input_dict)
    data = input_dict["examples"][0].get_string_custom_property(SOURCE_FINGERPRINT)
    return identify(resolve_day(day), recipe, data, plan.start, plan.parent_training)


def rows_property(split: str) -> str:
    """The custom property of FeedLogGen's examples that counts the rows of a split."""
    return f"{split}_rows"


def rows_text(rows: Mapping[date, int]) -> str:
    """The value of `ROWS_PER_DAY`."""
    return json.dumps({day.isoformat(): count for day, count in rows.items()})


def rows_of(text: str) -> dict[str, int]:
    """Rows by day, oldest first, of the value of `ROWS_PER_DAY`; empty where it was not set."""
    rows: dict[str, int] = json.loads(text or "{}")
    return rows


def files_by_day(examples: Artifact, files: Sequence[str]) -> dict[str, list[str]]:
    """YYYY-MM-DD → files of the split train of FeedLogGen's examples.

    Args:
        examples: the artifact.
        files: all files of the split, sorted by name.

    Raises:
        ValueError: the artifact does not say which days they are of.
    """
    days: list[str] = json.loads(examples.get_string_custom_property(SHARD_DAYS) or "[]")
    if len(days) != len(files):
        raise ValueError(f"{examples.uri}: it has {len(files)} files of the split train, and the days of {len(days)}")
    by_day: dict[str, list[str]] = {}
    for day, file in zip(days, files, strict=True):
        by_day.setdefault(day, []).append(file)
    return by_day


def days_text(days: Iterable[date]) -> str:
    """The value of `MISSING_DAYS`."""
    return ",".join(day.isoformat() for day in days)


def days_of(text: str) -> tuple[str, ...]:
    """The days of the value of `MISSING_DAYS`."""
    return tuple(day for day in text.split(",") if day)
