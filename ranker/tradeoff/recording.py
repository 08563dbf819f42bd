"""Reads the arms and outcomes of a day from the feed log."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ranker.config.pipeline import PipelineConfig
from ranker.config.tradeoff import TradeOff
from ranker.evaluation.batch_columns import read_labels, read_numbers, read_strings
from ranker.features.categorical import CategoricalKind
from ranker.features.exploration import PropensityKind
from ranker.features.keys_and_labels import IdKind, ObjectiveKind, TimestampKind
from ranker.features.log_column import LogColumn
from ranker.feed_log.columns import LogColumns
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import read_unit
from ranker.plain_text import one_line
from ranker.tradeoff.arms import Arm, Arms
from ranker.tradeoff.sums import FORMAT, VIEWER_GROUPS, ArmSums, DaySums, viewer_groups

_SHARE_TOLERANCE = 1e-3  # logs hold float32


class RecordError(ValueError):
    """A day of the feed log cannot be recorded; the message says why."""


def read_day(
    config: PipelineConfig,
    tradeoff: TradeOff,
    experiment: str,
    versions: Mapping[int, Arms],
    feed_log: str | Path,
    day: date,
) -> DaySums:
    """The sums of a day's arms. Sessions without an arm are not part of the experiment, and are left out.

    Args:
        config: names keys, objectives and the cohorts' column.
        tradeoff: names the arms' columns.
        experiment: its id.
        versions: all versions of its arms.
        feed_log: the folder of day folders.
        day: which one.

    Raises:
        FeedLogError: the day is missing or invalid.
        RecordError: an arm is not of this experiment, a propensity is missing or not the arm's, a session or a viewer
            has two arms of a version, or no row has an arm.
    """
    rows = _read(config, tradeoff, feed_log, day)
    shown = rows[rows["arm"] != b""]
    where = f"{feed_log}, {day}"
    if len(odd := rows[(rows["arm"] == b"") & rows["propensity"].notna()]):
        raise RecordError(f"{where}: {len(odd):,} impressions have a value of {tradeoff.propensity!r} and no arm")
    if not len(shown):
        raise RecordError(f"{where}: no impression has an arm in column {tradeoff.arm!r}")
    if len(without := shown[shown["propensity"].isna()]):
        raise RecordError(
            f"{where}: {len(without):,} impressions have an arm and no {tradeoff.propensity!r}; log what the client "
            "returns as arm_propensity"
        )
    _check_arms(where, shown, experiment, versions)
    sessions = _sessions(where, shown, config)
    return DaySums(
        FORMAT,
        experiment,
        day.isoformat(),
        list(config.objective_names),
        [_sums(arm, cohort, of, config) for (arm, cohort), of in sessions.groupby(["arm", "cohort"], sort=True)],
    )


def _read(config: PipelineConfig, tradeoff: TradeOff, feed_log: str | Path, day: date) -> pd.DataFrame:
    """One row per impression: session, viewer, arm, cohort as bytes, propensity, and the objectives."""
    keys = config.keys
    # The column may be a key as well.
    cohort = [
        LogColumn(f"cohort {one.name}", CategoricalKind.name, column=one.source)
        for one in config.features.coded
        if one.name == tradeoff.by
    ]
    columns = LogColumns(
        (
            *(LogColumn(name, IdKind.name) for name in dict.fromkeys((keys.session, keys.viewer))),
            LogColumn(keys.timestamp, TimestampKind.name),
            LogColumn(tradeoff.arm, CategoricalKind.name),
            LogColumn(tradeoff.propensity, PropensityKind.name),
            *cohort,
            *(LogColumn(one.name, ObjectiveKind.name, column=one.column) for one in config.objectives),
        ),
        config.timestamps,
        rows=config.rows,
    )
    labels = [f"objective {name}" for name in config.objective_names]
    parts = []
    for unit in plan_day(feed_log, day, columns):
        for batch in read_unit(unit, columns.columns):
            parts.append(
                pd.DataFrame(
                    {
                        "session": read_strings(batch, keys.session),
                        "viewer": read_strings(batch, keys.viewer),
                        "arm": read_strings(batch, tradeoff.arm),
                        "propensity": read_numbers(batch, tradeoff.propensity),
                        "cohort": _cohorts(batch, cohort),
                        # An outcome that was not observed counts as none.
                        **dict(zip(labels, np.nan_to_num(read_labels(batch, config.objective_names)), strict=True)),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _cohorts(batch: pa.RecordBatch, by: Sequence[LogColumn]) -> np.ndarray:
    """[rows]; without a column, all rows are of one cohort."""
    return read_strings(batch, by[0].name) if by else np.full(batch.num_rows, b"", dtype=object)


def _check_arms(where: str, shown: pd.DataFrame, experiment: str, versions: Mapping[int, Arms]) -> None:
    known: dict[bytes, Arm] = {
        arm.id.encode(): arm for arms in versions.values() for group in arms.groups for arm in group.arms
    }
    for arm, of in shown.groupby("arm")["propensity"]:
        if arm not in known:
            raise RecordError(
                f"{where}: arm {one_line(arm.decode('utf-8', 'replace'), 60)!r} is not of this experiment, {experiment}"
            )
        share = known[arm].share
        if (wrong := of[(of - share).abs() > _SHARE_TOLERANCE]).size:
            raise RecordError(
                f"{where}: arm {known[arm].id} has propensity {wrong.iloc[0]:.4g} in {wrong.size:,} impressions; its "
                f"share is {share:.4g}"
            )


def _sessions(where: str, shown: pd.DataFrame, config: PipelineConfig) -> pd.DataFrame:
    """One row per session."""
    by_session = shown.groupby("session", sort=False)
    for column in ("arm", "viewer"):
        if len(several := by_session[column].nunique().loc[lambda counts: counts > 1]):
            session = one_line(several.index[0].decode("utf-8", "replace"), 60)
            raise RecordError(
                f"{where}: session {session!r} has {several.iloc[0]} values of its {column}; one is valid"
            )
    labels = [f"objective {name}" for name in config.objective_names]
    sessions = by_session.agg({"viewer": "first", "arm": "first", "cohort": "first", **dict.fromkeys(labels, "sum")})
    # A viewer may change the cohort, such as a device, but keeps the arm within it.
    version = sessions["arm"].map(lambda arm: arm.rpartition(b".")[0])
    arms = sessions["arm"].groupby([sessions["viewer"], version, sessions["cohort"]]).nunique()
    if len(several := arms[arms > 1]):
        raise RecordError(
            f"{where}: {len(several):,} viewers have several arms of a version; a viewer keeps the arm that was drawn"
        )
    return sessions


def _sums(arm: bytes, cohort: bytes, sessions: pd.DataFrame, config: PipelineConfig) -> ArmSums:
    viewers = sessions["viewer"].to_numpy()
    group = viewer_groups(viewers)
    return ArmSums(
        arm.decode(),
        cohort.decode("utf-8", "replace"),
        len(set(viewers)),
        np.bincount(group, minlength=VIEWER_GROUPS).tolist(),
        [
            np.bincount(group, sessions[f"objective {name}"], minlength=VIEWER_GROUPS).astype(int).tolist()
            for name in config.objective_names
        ],
    )
