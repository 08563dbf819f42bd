"""EffectsTrainer on a tiny feed, with pushed models whose probabilities are constants."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from components.artifacts import SHARD_DAYS
from components.effects_trainer.component import EffectsTrainer
from components.effects_trainer.executor import BeamExecutor, Executor
from pipeline.beam import IN_PROCESS
from pipeline.training_plan import plan_fit
from ranker.config.columns import Features, History
from ranker.config.documents import to_json
from ranker.config.effects import EffectLevel, Effects
from ranker.config.pipeline import PipelineConfig
from ranker.effects.settings import effect_settings
from ranker.effects.state import EffectState
from ranker.export.saved_model import export_saved_model
from ranker.features.fingerprints import fingerprints_of
from ranker.registry.effects_plan import EffectsPlan, plan_effects
from ranker.registry.layout import EFFECT_STATE, MANIFEST, STATE, TRANSFORM_GRAPH
from ranker.registry.manifest import FittedEffects, Manifest
from tests.object_store import ObjectStore
from tests.ranker.effects.simulated import most_probable
from tests.ranker.export.feed import FEATURES, OBJECTIVES, SCHEMA, TinyFeed, make_feed, serialized

pytestmark = pytest.mark.slow

NAMES = tuple(o.name for o in OBJECTIVES)
EFFECTS = Effects(
    levels=(
        EffectLevel("viewer_id", ("picture",), intercept_variance=0.1, input_variance=0.05, min_rows=5),
        EffectLevel("author_id", intercept_variance=0.1, min_rows=5),
    ),
    components=2,
)
CONFIG = PipelineConfig(
    name="tiny",
    objectives=OBJECTIVES,
    features=FEATURES,
    schema="schemas/tiny.pbtxt",
    effects=EFFECTS,
)
DAYS = ("2026-03-02", "2026-03-03", "2026-03-04")
HELD_OUT = "2026-03-05"
PROBABILITY = {"100": 0.2, "200": 0.4}
_MS_PER_DAY = 86_400_000


def _midnight(day: str) -> int:
    return (date.fromisoformat(day) - date(1970, 1, 1)).days * _MS_PER_DAY


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> TinyFeed:
    return make_feed(tmp_path_factory.mktemp("feed"))


@pytest.fixture(scope="module")
def rows(feed: TinyFeed) -> list[dict[str, Any]]:
    """The feed's rows as 100 a day, by seven viewers and five authors, with an author that is missing now and then."""
    return [
        {
            **row,
            "viewer_id": [f"v{i % 7}".encode()],
            "author_id": [f"a{i % 5}".encode()] if i % 11 else [],
            "timestamp": [_midnight(DAYS[i // 100]) + i % 100 * 60_000],
        }
        for i, row in enumerate(feed.rows[:300])
    ]


@pytest.fixture(scope="module")
def inputs(
    feed: TinyFeed, rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Any]]:
    folder = tmp_path_factory.mktemp("inputs")
    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "examples")
    examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
    examples.set_string_custom_property(SHARD_DAYS, json.dumps([day for day in DAYS for _ in range(2)]))
    split = folder / "examples" / "Split-train"
    split.mkdir(parents=True)
    for shard in range(6):
        with tf.io.TFRecordWriter(str(split / f"data_tfrecord-{shard:05d}-of-00006")) as writer:
            for example in serialized(rows[shard * 50 : shard * 50 + 50]):
                writer.write(example)
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(SCHEMA))
    model = standard_artifacts.Model()
    model.uri = str(folder / "model")
    serving = folder / "model" / "Format-Serving"
    export_saved_model(feed.module(effects=EFFECTS), Manifest(objectives=list(NAMES), eval_day=HELD_OUT), str(serving))
    shutil.copytree(feed.graph, serving / STATE / TRANSFORM_GRAPH)
    return {"examples": [examples], "schema": [schema], "model": [model]}


class _Constant(tf.Module):
    """Predicts one probability; remembers nothing of what it has seen, as it has seen nothing."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self._probability = tf.Variable(probability)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def score(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.fill(tf.shape(examples), self._probability) for name in NAMES}


def _push(destination: Path, version: str, eval_day: str, effects: FittedEffects | None = None) -> Path:
    module = _Constant(PROBABILITY.get(version, 0.5))
    folder = destination / version
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.score})
    (folder / MANIFEST).parent.mkdir(exist_ok=True)
    manifest = Manifest(objectives=list(NAMES), eval_day=eval_day, training_fingerprint=version, effects=effects)
    (folder / MANIFEST).write_text(manifest.to_json())
    return folder


def _destination(folder: Path) -> Path:
    """Two pushed models: one from before the second day, one from before the third."""
    _push(folder / "pushed", "100", DAYS[1])
    _push(folder / "pushed", "200", DAYS[2])
    return folder / "pushed"


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return _destination(tmp_path)


@pytest.fixture(scope="module")
def fitted(inputs: dict[str, list[Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with effects from nothing, fitted in one process."""
    folder = tmp_path_factory.mktemp("fitted")
    return _run(inputs, _destination(folder), folder / "out")


def _run(
    inputs: dict[str, list[Any]],
    destination: Path | str,
    out: Path,
    plan: str = "",
    effects: Effects = EFFECTS,
    beam_args: tuple[str, ...] = (),
) -> Path:
    component = EffectsTrainer(
        **{name: channel_utils.as_channel(artifacts) for name, artifacts in inputs.items()},
        config=replace(CONFIG, effects=effects),
        push_destination=str(destination),
        eval_day=HELD_OUT,
        plan=plan,
    )
    model = standard_artifacts.Model()
    model.uri = str(out)
    assert component.executor_spec.executor_class is (BeamExecutor if effects.beam else Executor)
    executor: Executor | BeamExecutor = Executor()
    if effects.beam:
        context = BeamExecutor.Context(beam_pipeline_args=list(beam_args), tmp_dir=str(out / "tmp"), unique_id="1")
        executor = BeamExecutor(context)
    executor.Do(inputs, {"model_with_effects": [model]}, component.exec_properties)
    return out / "Format-Serving"


def _state(model: Path) -> EffectState:
    return EffectState.load(str(model / STATE / EFFECT_STATE))


def _manifest(model: Path) -> Manifest:
    return Manifest.from_json((model / MANIFEST).read_text())


def _log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_a_day_is_offset_by_the_model_pushed_before_it_and_older_days_are_left_out(
    rows: list[dict[str, Any]], fitted: Path
) -> None:
    state = _state(fitted)

    assert state.days == DAYS[1:]
    assert state.through == rows[-1]["timestamp"][0] + 1
    mean, components = state.basis.projections["picture"]
    # Row 100 is the first of the second day, row 200 that of the third.
    own = [i for i in range(100, 300) if rows[i]["viewer_id"] == [b"v3"]]
    x = np.array([np.append(1.0, (np.array(rows[i]["picture"], np.float32) - mean) @ components) for i in own])
    offset = np.array([_log_odds(PROBABILITY["100" if i < 200 else "200"]) for i in own])
    table = state.tables[0]
    [at] = table.find(fingerprints_of([b"v3"]))
    assert table.rows[at] == len(own)
    for number, name in enumerate(NAMES):
        y = np.array([rows[i][name][0] for i in own])
        expected = most_probable(x, y, offset, np.zeros(3), [0.1, 0.05, 0.05])
        np.testing.assert_allclose(table.mean[at, number], expected, atol=1e-5)


def test_the_model_is_served_with_the_effects(
    feed: TinyFeed, inputs: dict[str, list[Any]], rows: list[dict[str, Any]], fitted: Path
) -> None:
    out = fitted
    state, source = _state(out), Path(inputs["model"][0].uri) / "Format-Serving"

    assert (out / "saved_model.pb").read_bytes() == (source / "saved_model.pb").read_bytes()
    found = tf.saved_model.load(str(out)).signatures["serving_default"](examples=tf.constant(serialized(rows)))
    mean, components = state.basis.projections["picture"]
    pictures = (np.array([row["picture"] for row in rows], np.float32) - mean) @ components
    x = np.concatenate([np.ones((len(rows), 1)), pictures], axis=1)
    effect = state.tables[0].effect(fingerprints_of([row["viewer_id"][0] for row in rows]), x)
    authors = fingerprints_of([(row["author_id"] or [b""])[0] for row in rows])
    effect += state.tables[1].effect(authors, x[:, :1])
    base = feed.probabilities()[: len(rows)].astype(np.float64)
    expected = 1 / (1 + np.exp(-(np.log(base / (1 - base)) + effect)))
    for number, name in enumerate(NAMES):
        np.testing.assert_allclose(found[name], expected[:, number], atol=1e-5)
    assert np.abs(effect).max() > 0.05
    manifest = _manifest(out)
    assert manifest.effects is not None
    assert manifest.effects.entities == {"viewer_id": 7, "author_id": 5}
    assert (manifest.effects.rows, manifest.effects.prior, manifest.effects.update) == (200, "", "")


def test_the_effects_of_an_earlier_model_are_continued_on_what_they_have_not_seen(
    inputs: dict[str, list[Any]], destination: Path, tmp_path: Path
) -> None:
    settings = effect_settings(EFFECTS, NAMES)
    plan = EffectsPlan({DAYS[1]: "100"})
    first = _run(inputs, destination, tmp_path / "first", json.dumps({"offsets": plan.offsets, "prior": ""}))
    before = _manifest(first).effects
    assert before is not None
    assert before.days == [DAYS[1]]
    version = _push(destination, "300", "2026-03-04", before)
    shutil.copytree(first / STATE / EFFECT_STATE, version / STATE / EFFECT_STATE)
    assert _plan(destination, 5, settings).prior == "300"

    second = _run(inputs, destination, tmp_path / "second")

    record = _manifest(second).effects
    assert record is not None
    assert (record.rows, record.prior, record.days) == (100, "300", list(DAYS[1:]))
    np.testing.assert_array_equal(
        _state(second).basis.projections["picture"][1], _state(first).basis.projections["picture"][1]
    )
    days = (_state(second).through - _state(first).through) / _MS_PER_DAY
    kept = 0.5 ** (days / 30)
    table, earlier = _state(second).tables[0], _state(first).tables[0]
    counts = np.array([15, 15, 14, 14, 14, 14, 14])  # of the third day
    assert sorted((table.rows - kept * earlier.rows).round(3).tolist()) == sorted(counts.tolist())


def _files(model: Path) -> dict[str, bytes]:
    return {str(file.relative_to(model)): file.read_bytes() for file in model.rglob("*") if file.is_file()}


def test_over_beam_the_model_is_that_of_one_process(
    inputs: dict[str, list[Any]],
    fitted: Path,
    destination: Path,
    tmp_path: Path,
    object_store: ObjectStore,
    bucket: str,
) -> None:
    """From nothing, with a model of its own for each day; and continued from effects that have seen the first day, of
    models on an object store.
    """

    def over_beam(out: Path) -> dict[str, bytes]:
        args = (f"--runner={IN_PROCESS}", "--direct_running_mode=multi_threading", "--direct_num_workers=2")
        found = _files(_run(inputs, destination, out, effects=replace(EFFECTS, beam=True), beam_args=args))
        assert [path.name for path in out.iterdir()] == ["Format-Serving"]
        return found

    assert over_beam(tmp_path / "from nothing") == _files(fitted)

    record = _manifest(fitted).effects
    assert record is not None
    state = replace(_state(fitted), through=_midnight(DAYS[2]), days=DAYS[1:2])
    version = _push(destination, "300", DAYS[2], replace(record, through=state.through, days=list(state.days)))
    state.save(str(version / STATE / EFFECT_STATE))
    object_store.upload(destination, bucket, "models")
    one = _run(inputs, object_store.uri(f"{bucket}/models"), tmp_path / "one")
    continued = _manifest(one).effects
    assert continued is not None
    assert (continued.rows, continued.prior) == (100, "300")
    assert over_beam(tmp_path / "continued") == _files(one)


def test_without_a_pushed_model_there_is_no_effect(inputs: dict[str, list[Any]], tmp_path: Path) -> None:
    (tmp_path / "out" / "Format-Serving").mkdir(parents=True)
    (tmp_path / "out" / "Format-Serving" / "of an earlier attempt").touch()
    out = _run(inputs, tmp_path / "nothing", tmp_path / "out")
    assert not (out / "of an earlier attempt").exists()
    source = Path(inputs["model"][0].uri) / "Format-Serving"
    for file in sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file()):
        assert (out / file).read_bytes() == (source / file).read_bytes(), file
    assert _manifest(out).effects is None


def test_a_held_out_day_is_in_no_effect(destination: Path) -> None:
    settings = effect_settings(EFFECTS, NAMES)
    known = FittedEffects(settings, 1, [DAYS[2]], 10, {})
    _push(destination, "300", DAYS[2], known)
    # An update on the hours of the held-out day, of the same training.
    _push(destination, "400", DAYS[2], replace(known, days=[DAYS[2], HELD_OUT], update="u"))
    assert _plan(destination, 5, settings) == EffectsPlan({DAYS[1]: "100", DAYS[2]: "400"}, "300")
    assert _plan(destination, 6, settings).prior == "400"
    assert _plan(destination, 6, "other settings").prior == ""
    assert _plan(destination, 4, settings).prior == ""


def test_a_model_of_other_objectives_or_columns_gives_no_offsets(destination: Path) -> None:
    assert _plan(destination, 5).offsets == {DAYS[1]: "100", DAYS[2]: "200"}
    assert _plan(destination, 5, objectives=(*NAMES, "new")).offsets == {}
    manifest = _manifest(destination / "200")
    (destination / "200" / MANIFEST).write_text(replace(manifest, input_names={"votes": "votes"}).to_json())
    assert _plan(destination, 5).offsets == {DAYS[1]: "100", DAYS[2]: "200"}
    levels = {"effects": {"levels": [{"column": "channel"}]}}
    former = replace(manifest, input_names={"channel": "channel"}, config=levels)
    (destination / "200" / MANIFEST).write_text(former.to_json())
    assert _plan(destination, 5).offsets == {DAYS[1]: "100", DAYS[2]: "200"}
    (destination / "200" / MANIFEST).write_text(replace(manifest, input_names={"gone": "gone"}).to_json())
    assert _plan(destination, 5).offsets == {DAYS[1]: "100", DAYS[2]: "100"}


@pytest.mark.parametrize(
    ("changed", "offsets"),
    [
        ({}, {DAYS[1]: "100", DAYS[2]: "200"}),
        ({"length": 9}, {DAYS[1]: "100", DAYS[2]: "200"}),
        ({"actions": (NAMES[1],)}, {DAYS[1]: "100", DAYS[2]: "100"}),
        ({"of": "channel"}, {DAYS[1]: "100", DAYS[2]: "100"}),
    ],
)
def test_a_model_of_another_history_of_the_same_name_gives_no_offsets(
    changed: dict[str, Any], offsets: dict[str, str], destination: Path
) -> None:
    history = History("authors", of="author_id", actions=NAMES[:1])
    config = {"features": json.loads(to_json(replace(FEATURES, history=(history,))))}
    manifest = replace(_manifest(destination / "200"), config=config, input_names={"author_id": "author_id"})
    (destination / "200" / MANIFEST).write_text(manifest.to_json())
    features = replace(FEATURES, history=(replace(history, **changed),))
    assert _plan(destination, 5, features=features, columns=("author_id", "channel")).offsets == offsets


def test_the_ids_that_histories_are_of_are_columns_of_the_impressions(
    destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.training_plan.plan_effects", lambda *arguments: arguments[5])
    history = History("channels", of="channel", actions=NAMES[:1])
    config = replace(CONFIG, features=replace(FEATURES, history=(history,)))
    columns: Any = plan_fit(config, str(destination), date(2026, 3, 5))
    assert {"channels", "channel", "author_id", "viewer_id", *FEATURES.names} <= set(columns)


def _plan(
    destination: Path,
    day: int,
    settings: str = "",
    objectives: tuple[str, ...] = NAMES,
    features: Features = FEATURES,
    columns: tuple[str, ...] = FEATURES.names,
) -> EffectsPlan:
    days = map(date.fromisoformat, DAYS)
    return plan_effects(str(destination), date(2026, 3, day), days, settings, objectives, columns, features)


def test_a_config_without_effects_is_refused(inputs: dict[str, list[Any]]) -> None:
    channels = {name: channel_utils.as_channel(artifacts) for name, artifacts in inputs.items()}
    with pytest.raises(ValueError, match="it has no effects to fit"):
        EffectsTrainer(**channels, config=replace(CONFIG, effects=None), push_destination="d", eval_day=HELD_OUT)
