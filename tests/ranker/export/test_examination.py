"""A model with an exposure model: probabilities are examination × relevance, rankings go by relevance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from feed_ranker_client import InvalidRequestError
from ranker import keys
from ranker.config.columns import Exposure
from ranker.examples import records
from ranker.export.saved_model import export_saved_model
from ranker.features.exposure import default_values
from ranker.registry.manifest import Manifest
from ranker.towers.examination import Basis, ExaminationModel
from serving.client import FeedRankerClient
from serving.server import serve
from tests.ranker.export.exposed import EXPOSED, exposed_graph, exposed_rows
from tests.ranker.export.feed import FEATURES, MAX_ROWS, OBJECTIVES, Row, TinyFeed, dense_tensors, serialized

pytestmark = pytest.mark.slow

NAMES = [o.name for o in OBJECTIVES]
CODES = FEATURES.categorical[0].codes


@dataclass(frozen=True)
class Exposed:
    """A feed with exposure, a model of it behind a server, and its true examination.

    Attributes:
        feed: its rows have exposure, and a session and whether it was random.
        examination: [rows].
        by: int64 [rows, 1], the code of the device.
        client: of the server.
    """

    feed: TinyFeed
    examination: np.ndarray
    by: np.ndarray
    client: FeedRankerClient


def _model() -> ExaminationModel:
    """Attention halves in the rail and falls with the position, twice as fast on the second device."""
    main, rail = (default_values([Exposure("slot", default=slot)])[0] for slot in ("main", "rail"))
    end = np.float32(np.log1p(6.0))
    bases = [Basis(True, np.array([0.0, end], np.float32), 1.0), Basis(False, np.array([rail], np.float32), main)]
    # The functions are the straight line, its only piece, and the rail.
    table = np.zeros((CODES, 3), np.float32)
    table[1, 0] = -end
    return ExaminationModel(bases, np.array([-end, 0.0, np.log(0.5)], np.float32), [table])


def _truth(rows: list[Row], by: np.ndarray) -> np.ndarray:
    shown = np.array([(row["shown-at"] or [1.0])[0] for row in rows])
    rail = np.array([row["slot"] == [b"rail"] for row in rows])
    return np.where(rail, 0.5, 1.0) * shown ** -np.where(by[:, 0] == 1, 2.0, 1.0)


@pytest.fixture(scope="module")
def exposed(feed: TinyFeed, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposed]:
    """Impressions with exposure, transformed, and a served model."""
    folder = tmp_path_factory.mktemp("examined")
    rows = exposed_rows(feed.rows)
    graph = exposed_graph(folder, rows)
    by = _by_row(folder, rows)
    feed = replace(feed, rows=rows, graph=graph)
    export_saved_model(feed.module(EXPOSED, examination=_model()), manifest, str(folder / "1"))
    with (
        serve(folder / "1", "tiny", max_rows=MAX_ROWS) as address,
        FeedRankerClient(address, "tiny", timeout_s=60.0, max_rows=MAX_ROWS) as client,
    ):
        yield Exposed(feed, _truth(rows, by[keys.EXAMINED_BY]), by[keys.EXAMINED_BY], client)


def _by_row(folder: Path, rows: list[Row]) -> dict[str, np.ndarray]:
    """What Transform wrote for the examination model, in the order of the rows."""
    spec = {
        keys.EXPOSURE_VALUES: tf.io.FixedLenFeature([2], tf.float32),
        keys.EXAMINED_BY: tf.io.FixedLenFeature([1], tf.int64),
        keys.RANDOM_SESSION: tf.io.FixedLenFeature([1], tf.int64),
        "picture": tf.io.FixedLenFeature([3], tf.float32),
    }
    files = sorted(map(str, folder.glob("transformed-*")))
    found = [part for file in files for part in records(file, 4096).as_numpy_iterator()]
    parsed = {name: x.numpy() for name, x in tf.io.parse_example(np.concatenate(found), spec).items()}
    place = {picture.tobytes(): i for i, picture in enumerate(parsed["picture"])}
    order = [place[np.array(row["picture"], np.float32).tobytes()] for row in rows]
    return {name: values[order] for name, values in parsed.items()}


def _stacked(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([scores[name] for name in NAMES], axis=1)


def _features(feed: TinyFeed) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in dense_tensors(feed.rows).items()}


def _exposure(rows: list[Row]) -> dict[str, Any]:
    return {
        "shown_at": np.array([(row["shown-at"] or [np.nan])[0] for row in rows], np.float32),
        "slot": [(row["slot"] or [b""])[0] for row in rows],
    }


def test_rows_differ(exposed: Exposed) -> None:
    assert exposed.examination.min() < 0.05
    assert 0.1 < (exposed.examination == 1).mean() < 0.5
    assert len(np.unique(exposed.by)) > 2


def test_where_the_request_holds_exposure_probabilities_are_examination_times_relevance(exposed: Exposed) -> None:
    expected = exposed.examination[:, np.newaxis] * exposed.feed.probabilities()
    rows, client = exposed.feed.rows, exposed.client
    exposure, leaves = _exposure(rows), {**exposed.feed.batch(), "examined_by": exposed.by}
    local = (exposed.feed.leaves - exposed.feed.forest.first_leaf[:-1]).astype(np.uint8)
    features = _features(exposed.feed)
    for scores in (
        client.score_examples(serialized(rows)),
        client.score_features({**features, **exposure}),
        client.predict("score_features_xla", {**features, **exposure}),
        client.score_leaves({**leaves, **exposure}),
        client.predict("score_local_leaves", {**leaves, keys.LEAVES: local, **exposure}),
    ):
        np.testing.assert_allclose(_stacked(scores), expected, atol=2e-6)


def test_serving_default_gives_examination_too(exposed: Exposed) -> None:
    shown = exposed.client.score_examples(serialized(exposed.feed.rows))
    assert set(shown) == {*NAMES, "examination"}
    np.testing.assert_allclose(shown["examination"], exposed.examination, rtol=1e-5)
    hidden = exposed.client.score_examples(serialized(exposed.feed.rows, FEATURES.names))
    np.testing.assert_array_equal(hidden["examination"], 1.0)


def test_where_it_does_not_they_are_relevance(exposed: Exposed) -> None:
    expected = exposed.feed.probabilities()
    client = exposed.client
    for scores in (
        client.score_examples(serialized(exposed.feed.rows, FEATURES.names)),
        client.score_features(_features(exposed.feed)),
        client.score_leaves({**exposed.feed.batch(), "examined_by": exposed.by}),
    ):
        np.testing.assert_allclose(_stacked(scores), expected, atol=2e-6)


def test_a_column_that_is_absent_has_its_default(exposed: Exposed) -> None:
    rows = [{**row, "slot": []} for row in exposed.feed.rows]
    expected = _truth(rows, exposed.by)[:, np.newaxis] * exposed.feed.probabilities()
    shown = {"shown_at": _exposure(rows)["shown_at"]}
    scores = exposed.client.score_features({**_features(exposed.feed), **shown})
    np.testing.assert_allclose(_stacked(scores), expected, atol=2e-6)


@pytest.mark.parametrize("weights", [{}, {"click": 2.0}])
def test_rankings_go_by_relevance(exposed: Exposed, weights: dict[str, float]) -> None:
    features, exposure = _features(exposed.feed), _exposure(exposed.feed.rows)
    like, click, answer = exposed.feed.probabilities().T
    ranking = exposed.client.rank({**features, **exposure}, weights=weights)
    score = 0.5 * weights.get("click", 1.0) * click + 0.5 * 3.0 * like + 0.1 * 2.0 * answer
    np.testing.assert_allclose(ranking.score, score, atol=5e-6)
    np.testing.assert_array_equal(ranking.order, exposed.client.rank(features, weights=weights).order)


def test_a_code_that_the_feature_does_not_have_is_refused(exposed: Exposed) -> None:
    with pytest.raises(InvalidRequestError, match=r"^examined_by: every code must lie in \[0, limit\)"):
        exposed.client.score_leaves({**exposed.feed.batch(), "examined_by": exposed.by + CODES})
    with pytest.raises(InvalidRequestError, match=r"^examined_by: missing from the request"):
        exposed.client.score_leaves(exposed.feed.batch())


def test_transform_says_which_sessions_were_random(exposed: Exposed, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = _by_row(exposed.feed.graph.parent, exposed.feed.rows)
    session = found[keys.RANDOM_SESSION][:, 0]
    random = np.array([row["is_randomised"] == [1] for row in exposed.feed.rows])
    np.testing.assert_array_equal(session >= 0, random)
    names = np.array([row["session_id"][0] for row in exposed.feed.rows])
    assert len(set(zip(names[random], session[random], strict=True))) == len(np.unique(names[random]))
    shown = np.array([(row["shown-at"] or [1.0])[0] for row in exposed.feed.rows])
    np.testing.assert_array_equal(found[keys.EXPOSURE_VALUES][:, 0], shown)
