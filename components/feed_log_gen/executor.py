"""FeedLogGen's executor: plans the window, writes shards and profiles with Beam, and sets the artifact's properties."""

import json
import logging
import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import apache_beam as beam
import pyarrow as pa
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.artifacts import (
    FEED_LOG_WARNINGS,
    MISSING_DAYS,
    ROWS_PER_DAY,
    SHARD_DAYS,
    SOURCE_FINGERPRINT,
    USUAL_ROWS,
    days_text,
    rows_property,
    rows_text,
    start_of,
)
from components.day_profiles import profile_of, profile_text, write_profile
from ranker.config.documents import from_json
from ranker.feed_log.columns import LogColumns
from ranker.feed_log.day import resolve_day
from ranker.feed_log.fingerprint import source_fingerprint
from ranker.feed_log.layout import FeedLogError, reference_days, window_days
from ranker.feed_log.planning import SPLITS, WindowPlan, WorkUnit, plan_window
from ranker.feed_log.reading import read_unit
from ranker.feed_log.repeats import KeyHashes, Repeats, find_repeats, repeats_warning
from ranker.feed_log.shards import shard_name, write_unit
from ranker.histories.building import build_histories
from ranker.histories.stored import StoredHistories
from ranker.monitoring.profile import DayProfile

_EPOCH = date(1970, 1, 1)
_PROFILES, _HASHES = "profiles", "hashes"  # what the workers return
_REPEATS = "repeats-"  # begins the names of files with what was found in a day

_logger = logging.getLogger(__name__)


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes a window of the feed log as an Examples artifact with the splits train, eval and optionally replay.

    If there is an output for them, it also profiles the features of the eval day and of the days that it is compared
    with, some of which may be in no split.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the artifact.

        Raises:
            FeedLogError: the feed log is invalid; nothing is written if the Parquet footers already show it.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        eval_day = resolve_day(exec_properties["eval_day"])
        columns = from_json(LogColumns, exec_properties["columns"])
        start, _ = start_of(input_dict)
        train_days = start.train_days or exec_properties["train_days"]
        # The cache's fingerprint of the log covers only the days of a cold start.
        replay_days = max(0, min(start.replay_days, exec_properties["train_days"] - train_days))
        earlier = max((history.days for history in columns.histories), default=0)
        window = window_days(eval_day, exec_properties["train_days"] + earlier)
        fingerprint = exec_properties["source_fingerprint"] or source_fingerprint(exec_properties["feed_log"], window)
        profiles = artifact_utils.get_single_uri(output_dict["profiles"]) if output_dict.get("profiles") else None
        reference = exec_properties["train_days"] if profiles else 0
        plan = plan_window(exec_properties["feed_log"], eval_day, train_days, columns, replay_days, reference)
        profiled = {eval_day, *reference_days(eval_day, reference)}

        examples = artifact_utils.get_single_instance(output_dict["examples"])
        examples.split_names = artifact_utils.encode_split_names(list(plan.splits))
        for split in plan.splits:
            fileio.makedirs(artifact_utils.get_split_uri([examples], split))
        scratch = os.path.join(examples.uri, f".writing-{uuid.uuid4().hex}")
        fileio.makedirs(scratch)
        try:
            days = {unit.day for unit in (*plan.units, *plan.reference)}
            histories = build_histories(exec_properties["feed_log"], days, columns, os.path.join(scratch, "histories"))
            with self._make_beam_pipeline() as pipeline:
                write = _WriteUnit(columns, examples.uri, scratch, profiled, histories, plan.rows_per_day)
                read = (
                    pipeline
                    | "Plan" >> beam.Create((*plan.units, *plan.reference))
                    | "Share" >> beam.Reshuffle()
                    | "Write" >> beam.ParDo(write).with_outputs(_HASHES, main=_PROFILES)
                )
                _ = (
                    read[_HASHES]
                    | "JoinHashes" >> beam.GroupByKey()
                    | "FindRepeats" >> beam.MapTuple(lambda day, parts: _write_repeats(scratch, day, parts))
                )
                if profiles:
                    _ = (
                        read[_PROFILES]
                        | "Join" >> beam.GroupByKey()
                        | "WriteProfiles" >> beam.MapTuple(lambda day, parts: _write_joined(profiles, day, parts))
                    )
            _raise_first_problem(scratch)
            repeats = _read_repeats(scratch)
        finally:
            fileio.rmtree(scratch)
        _check_complete(plan, examples)
        found = repeats_warning(exec_properties["feed_log"], repeats, plan.rows_per_day, columns)
        for warning in found:
            _logger.warning("%s", warning)
        _describe(examples, plan, eval_day, fingerprint, (*plan.warnings, *found))


@beam.typehints.with_input_types(WorkUnit)
@beam.typehints.with_output_types(tuple[str, tuple[int, str]])
class _WriteUnit(beam.DoFn):
    """Writes the shards of a unit, unless it is in no split, and returns the profile of its rows by day.

    The hashes of the keys of written rows, which show repeated impressions, are a second output by day.

    A retry does not help with bad data, and a runner wraps an exception's text in its own. So a problem is written to a
    file, and the executor raises it.
    """

    def __init__(
        self,
        columns: LogColumns,
        examples_uri: str,
        scratch: str,
        profiled: Collection[date],
        histories: StoredHistories | None,
        rows_per_day: Mapping[date, int],
    ) -> None:
        self._columns = columns
        self._examples_uri = examples_uri
        self._scratch = scratch
        self._profiled = profiled
        self._histories = histories
        self._rows_per_day = rows_per_day

    def process(self, unit: WorkUnit) -> Iterator[tuple[str, tuple[int, str]] | beam.pvalue.TaggedOutput]:
        columns = self._columns.columns
        profile = DayProfile(columns) if unit.day in self._profiled else None
        hashes = KeyHashes(self._columns, self._rows_per_day[unit.day]) if unit.split in SPLITS else None

        def seen(rows: pa.RecordBatch) -> None:
            for reader in (profile, hashes):
                if reader is not None:
                    reader.add(rows)

        try:
            if hashes is not None:
                folder = os.path.join(self._examples_uri, f"Split-{unit.split}")
                write_unit(unit, columns, folder, self._scratch, seen, self._histories)
            elif profile is not None:
                features = [column for column in columns if column.name in profile.features]
                for batch in read_unit(unit, features, computed=self._histories):
                    profile.add(batch)
        except FeedLogError as error:
            # In the order of these names, the problem of the oldest rows is the first.
            order = f"{(SPLITS.index(unit.split) if unit.split in SPLITS else -1) + 1}-{unit.first_shard:05d}"
            try:
                with fileio.open(os.path.join(self._scratch, f"problem-{order}"), "w") as file:
                    file.write(str(error))
            except Exception as unwritable:  # whatever it is, it must not hide the problem
                raise error from unwritable
            return
        if profile is not None:
            yield unit.day.isoformat(), (unit.first_shard, profile_text(profile))
        if hashes is not None:
            yield beam.pvalue.TaggedOutput(_HASHES, (unit.day.isoformat(), hashes.to_bytes()))


def _write_joined(uri: str, day: str, parts: Iterable[tuple[int, str]]) -> None:
    """Writes the profiles of the parts of a day as one.

    The parts are joined in the order of the log, so that any number of workers writes the same bytes.
    """
    first, *others = (profile_of(text) for _, text in sorted(parts))
    for other in others:
        first.merge(other)
    write_profile(uri, day, profile_text(first))


def _write_repeats(scratch: str, day: str, parts: Iterable[bytes]) -> None:
    with fileio.open(os.path.join(scratch, f"{_REPEATS}{day}"), "w") as file:
        file.write(json.dumps(asdict(find_repeats(parts))))


def _read_repeats(scratch: str) -> dict[date, Repeats]:
    found = {}
    for name in fileio.listdir(scratch):
        if name.startswith(_REPEATS):
            with fileio.open(os.path.join(scratch, name)) as file:
                found[date.fromisoformat(name.removeprefix(_REPEATS))] = Repeats(**json.loads(file.read()))
    return found


def _raise_first_problem(scratch: str) -> None:
    problems = sorted(name for name in fileio.listdir(scratch) if name.startswith("problem-"))
    if problems:
        with fileio.open(os.path.join(scratch, problems[0])) as file:
            message = file.read()
        others = f" (and {len(problems) - 1} more parts of the feed log with a problem)" if problems[1:] else ""
        raise FeedLogError(message + others)


def _check_complete(plan: WindowPlan, examples: types.Artifact) -> None:
    for split in plan.splits:
        shards = next(unit.shards_in_split for unit in plan.units if unit.split == split)
        expected = {shard_name(shard, shards) for shard in range(shards)}
        folder = artifact_utils.get_split_uri([examples], split)
        if expected != (found := set(fileio.listdir(folder))):
            raise RuntimeError(f"{folder}: expected the shards {sorted(expected)}, found {sorted(found)}")


def _shard_days(plan: WindowPlan) -> list[str]:
    """The day of each shard of the split train, in the order of their names."""
    units = sorted((unit for unit in plan.units if unit.split == "train"), key=lambda unit: unit.first_shard)
    return [unit.day.isoformat() for unit in units for _ in range(unit.shards)]


def _describe(
    examples: types.Artifact, plan: WindowPlan, eval_day: date, fingerprint: str, warnings: Sequence[str]
) -> None:
    examples.span = (eval_day - _EPOCH).days
    examples.version = 0
    # TFX has no file format name for uncompressed TFRecords; without one it uses the suffix of the files.
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
    examples.set_string_custom_property(ROWS_PER_DAY, rows_text(plan.rows_per_day))
    examples.set_int_custom_property(USUAL_ROWS, plan.usual_rows)
    for split in plan.splits:
        examples.set_int_custom_property(rows_property(split), plan.rows(split))
    examples.set_string_custom_property(SHARD_DAYS, json.dumps(_shard_days(plan)))
    examples.set_string_custom_property(MISSING_DAYS, days_text(plan.missing_days))
    examples.set_string_custom_property(FEED_LOG_WARNINGS, "\n".join(warnings))
    examples.set_string_custom_property(SOURCE_FINGERPRINT, fingerprint)
