"""`python -m pipeline.replay`: a model's order compared with the logged one and a random one, on a simulated day."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

import pipeline_config
from datasets.synthetic import generate
from pipeline.policy_values import Compared, compare_orders
from pipeline.replay import main
from pipeline_config import FEED
from ranker.config.columns import Exposure, Features
from ranker.config.effects import EffectLevel, Effects
from ranker.config.names import UTILITY
from ranker.evaluation.off_policy import PolicyValue
from ranker.evaluation.replay import policy_positions
from ranker.feed_log.layout import FeedLogError
from tests.object_store import ObjectStore
from tests.pipeline.local.pushed_model import CATEGORY, NUMERIC, push

START = date(2026, 3, 2)
DAYS = [START + timedelta(days=i) for i in range(3)]
CONFIG = replace(
    FEED,
    features=Features(
        numeric=NUMERIC,
        categorical=tuple(f for f in FEED.features.categorical if f.name in (CATEGORY, "device")),
        exposure=(Exposure("position", default=1.0),),
    ),
    slices=(),
)
K = 10


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("feed")
    generate(root, days=len(DAYS), impressions_per_day=16_000, seed=4, start=START, exploration=0.5)
    return root


@pytest.fixture(scope="module")
def model(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("serving")
    return destination / push(feed, DAYS[:2], DAYS[2], CONFIG.objective_names, destination)


def by_match(batch: pa.RecordBatch) -> np.ndarray:
    """Probabilities that rise with the match of viewer and item."""
    match = np.array([0.0 if value is None else value[0] for value in batch["viewer_topic_match"].to_pylist()])
    return np.outer(np.linspace(0.02, 0.1, len(CONFIG.objectives)), 0.5 + match)


def covers(value: PolicyValue | None, truth: float) -> bool:
    """Whether the truth is within twice the 95 % interval's half width."""
    assert value is not None
    half = (value.estimate.upper - value.estimate.lower) / 2
    return abs(value.estimate.value - truth) < 2 * half


def true_values(feed: Path) -> dict[str, tuple[float, float, float]]:
    """Click and like → expected in the first K positions: by match and in random order, on the random sessions, and in
    the logged order on the others; from the truth's files alone.
    """
    log, truth = (pq.read_table(root / f"day-{DAYS[2]}") for root in (feed, feed / "truth"))
    session = log["session_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    position, random = log["position"].to_numpy(), log["is_randomised"].to_numpy() == 1
    examined = truth["examined"].to_numpy().astype(np.float64)
    second = position == 2  # examined = 1 / (1 + 1 / patience) there, and every session has one
    patience = np.zeros(session.max() + 1)
    patience[session[second]] = examined[second] / (1 - examined[second])
    positions = policy_positions(session, np.nan_to_num(log["viewer_topic_match"].to_numpy()).astype(np.float64))
    by_model = 1 / (1 + (positions - 1) / patience[session])
    sessions = len(np.unique(session[random])), len(np.unique(session[~random]))
    found = {}
    for name in ("click", "like"):
        probability = truth[name].to_numpy().astype(np.float64)
        relevance = probability / examined
        found[name] = (
            float((by_model * relevance)[random & (positions <= K)].sum() / sessions[0]),
            float(probability[random & (position <= K)].sum() / sessions[0]),
            float(probability[~random & (position <= K)].sum() / sessions[1]),
        )
    return found


def test_values_agree_with_the_simulators_truth(feed: Path) -> None:
    found = compare_orders(CONFIG, feed, DAYS[2:], by_match, "position", K)
    assert tuple(found) == (UTILITY, *CONFIG.objective_names)
    for name, (by_model, at_random, logged) in true_values(feed).items():
        compared = found[name]
        model = compared.model
        assert all(covers(value, by_model) for value in (model.ips, model.self_normalised, model.doubly_robust))
        assert covers(compared.random, at_random)
        assert covers(compared.logged, logged)
    assert found["click"].logged.estimate.lower > found["click"].random.estimate.upper


def test_the_value_of_a_match_is_compared_with_that_of_an_impression(feed: Path) -> None:
    def tied(batch: pa.RecordBatch) -> np.ndarray:
        return np.full((len(CONFIG.objectives), len(batch)), 0.1)

    found = compare_orders(CONFIG, feed, DAYS[2:], tied, "position", K)["click"]
    log = pq.read_table(feed / f"day-{DAYS[2]}").to_pandas()
    log["size"] = log.groupby("session_id")["position"].transform("size")
    top = log[log["position"] <= K]
    for order, randomised in ((found.random_order, 1), (found.logged_order, 0)):
        shown = top[top["is_randomised"] == randomised]
        expected = np.average(shown["click"], weights=1 / shown["size"])
        assert order.comparable("matched").estimate.value == pytest.approx(expected)
        assert order.comparable("ips") == order.session
    # A policy without preferences is a random order.
    assert covers(found.model.matched, found.random_order.impression.estimate.value)
    assert found.logged_order.impression.estimate.lower > found.random_order.impression.estimate.upper


def _without(name: str, table: pa.Table, randomised: int) -> pa.Table:
    values = [
        None if is_random == randomised else value
        for value, is_random in zip(table[name].to_pylist(), table["is_randomised"].to_pylist(), strict=True)
    ]
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values, table[name].type))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda table: _without("position", table, 0),
            r"{day}: {ranked} rows with 'is_randomised' 0 lack 'position'; ",
        ),
        (
            lambda table: _without("position", table, 1),
            r"{day}: {random} rows with 'is_randomised' 1 lack 'position'; ",
        ),
        (
            lambda table: table.set_column(
                table.schema.get_field_index("position"), "position", pa.array(np.ones(len(table), np.int64))
            ),
            r", with 'position' as position: position: session '{day} s\S*' has 1.0 more than once; every",
        ),
    ],
)
def test_positions_that_cannot_be_used_are_named(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], said: str
) -> None:
    generate(tmp_path, days=1, impressions_per_day=300, seed=4, start=START, exploration=0.5)
    [file] = (tmp_path / f"day-{START}").glob("*.parquet")
    table = pq.read_table(file)
    pq.write_table(change(table), file)
    random = int(np.sum(table["is_randomised"].to_numpy()))
    said = said.format(day=START, random=random, ranked=len(table) - random)
    with pytest.raises(ValueError, match=rf"^feed log {tmp_path}.*{said}"):
        compare_orders(CONFIG, tmp_path, [START], by_match, "position", K)


def too_large(batch: pa.RecordBatch) -> np.ndarray:
    message = "assertion failed: [picture: numbers too large to be scored]"
    raise tf.errors.InvalidArgumentError(None, None, message)


def test_rows_that_the_model_cannot_score_are_named(tmp_path: Path) -> None:
    generate(tmp_path, days=1, impressions_per_day=300, seed=4, start=START, exploration=0.5)
    [file] = (tmp_path / f"day-{START}").glob("*.parquet")
    random = np.flatnonzero(pq.read_table(file)["is_randomised"].to_numpy() == 1)
    said = f"{file}: rows {random[0]} to {random[-1]}: cannot be scored: picture: numbers too large to be scored"
    with pytest.raises(FeedLogError, match=f"^{said}$"):
        compare_orders(CONFIG, tmp_path, [START], too_large, "position", K)


def test_the_utility_is_the_configs(feed: Path) -> None:
    found = compare_orders(CONFIG, feed, DAYS[2:], by_match, "position", K)
    weights = CONFIG.utility.coefficients(CONFIG.objectives)

    def utility(of: Callable[[Compared], PolicyValue]) -> float:
        return sum(w * of(found[name]).estimate.value for w, name in zip(weights, CONFIG.objective_names, strict=True))

    for of in (lambda c: c.model.ips, lambda c: c.logged, lambda c: c.random):
        assert of(found[UTILITY]).estimate.value == pytest.approx(utility(of))


def test_days_are_pooled(feed: Path) -> None:
    alone, pooled = (compare_orders(CONFIG, feed, days, by_match, "position", K)["click"] for days in (DAYS[2:], DAYS))
    assert pooled.model.sessions > 2.5 * alone.model.sessions
    assert pooled.random.estimate.upper - pooled.random.estimate.lower < 0.8 * (
        alone.random.estimate.upper - alone.random.estimate.lower
    )


def test_a_session_of_the_same_name_on_another_day_is_another_session(feed: Path, tmp_path: Path) -> None:
    for day in DAYS[1:]:
        (tmp_path / f"day-{day}").mkdir()
        table = pq.read_table(feed / f"day-{DAYS[1]}")
        later = pa.array(table["timestamp"].to_numpy() + 86_400_000 * (day - DAYS[1]).days)
        pq.write_table(
            table.set_column(table.schema.get_field_index("timestamp"), "timestamp", later),
            tmp_path / f"day-{day}" / "part-0.parquet",
        )
    once, twice = (
        compare_orders(CONFIG, tmp_path, days, by_match, "position", K)["click"] for days in (DAYS[1:2], DAYS[1:])
    )
    assert twice.model.sessions == 2 * once.model.sessions
    assert twice.random.estimate.value == pytest.approx(once.random.estimate.value)


@pytest.mark.parametrize("levels", [(), ("viewer_id", "author_id", "item_id")])
def test_only_random_rows_are_scored_and_without_exposure(feed: Path, levels: tuple[str, ...]) -> None:
    """But with the ids of random effects, which are a part of the model's order."""
    rows = []
    config = replace(CONFIG, effects=Effects(tuple(map(EffectLevel, levels)))) if levels else CONFIG

    def score(batch: pa.RecordBatch) -> np.ndarray:
        assert batch.schema.names == [*CONFIG.features.names, *levels]
        assert all(all(ids.to_pylist()) for ids in batch.columns[len(CONFIG.features.names) :])
        rows.append(len(batch))
        return by_match(batch)

    compare_orders(config, feed, DAYS[2:], score, "position", K)
    log = pq.read_table(feed / f"day-{DAYS[2]}")
    assert sum(rows) == np.sum(log["is_randomised"].to_numpy())


@pytest.mark.slow
def test_the_command_prints_every_outcome(
    feed: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline_config, "CONFIGS", MappingProxyType({"feed": CONFIG}))
    assert main(["--config", "feed", "--feed-log", str(feed), "--model", str(model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:8]] == [UTILITY, *CONFIG.objective_names]
    assert lines[8].startswith(f"{DAYS[2]}, first 10 positions; ")
    [click] = [line for line in lines if line.startswith("click")]
    twice = ["--day", str(DAYS[2]), str(DAYS[2])]  # counts once
    assert main(["--config", "feed", "--feed-log", str(feed), "--model", str(model), "--estimator", "ips", *twice]) == 0
    [by_ips] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("click")]
    assert click.split()[1:5] != by_ips.split()[1:5]
    assert click.split()[5:] == by_ips.split()[5:]
    arguments = ["--config", "feed", "--feed-log", str(feed), "--model", str(model), "--estimator", "matched"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "values are those of one impression in these positions, not of a session" in lines
    [by_match] = [line for line in lines if line.startswith("click")]
    assert all(0 < float(by_match.split()[part]) < 1 for part in (1, 5))  # shares of impressions
    assert main(["--config", "feed", "--feed-log", str(feed), "--model", str(model), "--k", "1"]) == 0
    assert "first 1 positions" in capsys.readouterr().out


@pytest.mark.slow
def test_log_and_model_can_be_on_an_object_store(
    feed: Path,
    model: Path,
    object_store: ObjectStore,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(pipeline_config, "CONFIGS", MappingProxyType({"feed": CONFIG}))
    object_store.upload(feed, bucket, "log")
    object_store.upload(model, bucket, "models/17")
    assert main(["--config", "feed", "--feed-log", str(feed), "--model", str(model)]) == 0
    expected = capsys.readouterr().out
    log, pushed = object_store.uri(f"{bucket}/log"), object_store.uri(f"{bucket}/models/17")
    assert main(["--config", "feed", "--feed-log", log, "--model", pushed]) == 0
    assert capsys.readouterr().out == expected


def test_too_few_random_sessions_are_said(
    feed: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline_config, "CONFIGS", MappingProxyType({"feed": CONFIG}))
    generate(tmp_path, days=1, impressions_per_day=1_000, seed=4, start=START)
    assert main(["--config", "feed", "--feed-log", str(tmp_path), "--model", str(model)]) == 0
    assert "too few" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith(UTILITY))


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({"exploration": None}, [], "config 'feed' names no exploration"),
        ({"features": replace(CONFIG.features, exposure=())}, [], "Name it by --position"),
        ({}, ["--day", "2020-01-01"], "2020-01-01"),
        ({}, ["--model", "nowhere"], "nowhere"),
        ({}, ["--position", "nope"], "--position nope: config feed has the numeric columns position, "),
        ({}, ["--position", "click"], "--position click: config feed has the numeric columns position, "),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    feed: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(pipeline_config, "CONFIGS", MappingProxyType({"feed": replace(CONFIG, **changes)}))  # type: ignore[arg-type]
    assert main(["--config", "feed", "--feed-log", str(feed), "--model", str(model), *arguments]) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert said in line


@pytest.mark.parametrize("k", ["0", "-1", "1.5", "9" * 23, "²"])
def test_numbers_of_positions_that_cannot_be_used_are_refused(k: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--config", "feed", "--feed-log", "log", "--model", "model", "--k", k])
    assert end.value.code == 2
    assert "is not an integer from 1 to 1,000,000" in capsys.readouterr().err
