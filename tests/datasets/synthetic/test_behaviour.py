"""The truth is aligned with the log, calibrated, and has the shape of a feed's."""

import numpy as np
import pyarrow.compute as pc
import pytest

from datasets.synthetic.behaviour import draw_labels
from datasets.synthetic.vocabulary import OBJECTIVES
from tests.datasets.synthetic.conftest import Feed

TARGETS = {"click": 0.20, "long_dwell": 0.10, "like": 0.04, "comment": 0.012, "reshare": 0.006, "creator_reply": 0.003}


def deviations(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The deviation of the number of positives from its expectation, in standard deviations."""
    return float((labels.sum() - probabilities.sum()) / np.sqrt((probabilities * (1 - probabilities)).sum()))


@pytest.mark.slow
def test_truth_and_log_agree_row_for_row(feed: Feed) -> None:
    averaged = [f"{name}_tastes_averaged_out" for name in OBJECTIVES]
    assert feed.truth.column_names == ["session_id", "item_id", "examined", *OBJECTIVES, *averaged]
    assert feed.truth["session_id"] == feed.log["session_id"]
    assert feed.truth["item_id"] == feed.log["item_id"]
    for probabilities in (feed.probabilities, feed.averaged):
        assert ((probabilities > 0) & (probabilities < feed.truth["examined"].to_numpy())).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_base_rates_are_near_their_targets(feed: Feed, objective: str) -> None:
    assert feed.truth[objective].to_numpy().mean() == pytest.approx(TARGETS[objective], rel=0.15)


@pytest.mark.parametrize("row", range(len(OBJECTIVES)), ids=OBJECTIVES)
def test_labels_are_calibrated_in_every_decile_of_the_truth(feed: Feed, row: int) -> None:
    labels, probabilities = feed.labels[row], feed.probabilities[row]
    assert abs(deviations(labels, probabilities)) < 4
    deciles = np.array_split(np.argsort(probabilities), 10)
    assert max(abs(deviations(labels[rows], probabilities[rows])) for rows in deciles) < 4.5


def test_labels_are_calibrated_on_slices_too(feed: Feed) -> None:
    position, device = feed.numbers("position"), np.array(feed.log["device"].to_pylist())
    slices = [position == 1, position > 20, device == "ios", device == "desktop_web"]
    for labels, probabilities in zip(feed.labels, feed.probabilities, strict=True):
        assert max(abs(deviations(labels[rows], probabilities[rows])) for rows in slices) < 4.5


def test_a_creator_replies_only_to_a_comment(feed: Feed) -> None:
    comment, reply = feed.labels[3], feed.labels[5]
    assert reply.sum() > 50
    assert (comment >= reply).all()
    assert (feed.probabilities[3] > feed.probabilities[5]).all()


def test_objectives_are_positively_correlated(feed: Feed) -> None:
    together = np.atleast_2d(np.corrcoef(feed.probabilities))
    assert (together[np.triu_indices(len(OBJECTIVES), 1)] > 0.1).all()
    both = (feed.labels[0] * feed.labels[1]).mean()
    assert both > 1.5 * feed.labels[0].mean() * feed.labels[1].mean()


def test_attention_falls_with_the_position(feed: Feed) -> None:
    position = feed.numbers("position")
    means = [feed.probabilities[0][position == place].mean() for place in (1, 5, 15, 30)]
    assert means == sorted(means, reverse=True)
    assert means[0] > 3 * means[-1]


def test_good_matches_and_close_authors_raise_the_truth(feed: Feed) -> None:
    match = feed.log["viewer_topic_match"].fill_null(0.0).to_numpy()
    known = pc.equal(feed.log["connection_degree"], "first").to_numpy()
    click, comment = feed.probabilities[0], feed.probabilities[3]
    assert click[match > 0.6].mean() > 1.4 * click[match < 0.4].mean()
    assert comment[known].mean() > 1.5 * comment[~known].mean()


def test_labels_are_sampled_with_the_given_probabilities() -> None:
    rng = np.random.default_rng(0)
    rows = 200_000
    examined = np.full(rows, 0.5)
    probability = np.repeat([[0.3], [0.1], [0.02], [0.2], [0.05], [0.15]], rows, axis=1)
    labels = draw_labels(rng, examined, probability / examined)
    assert labels.mean(axis=1) == pytest.approx(probability[:, 0], rel=0.05)
    assert (labels[:3].any(axis=0) | labels[3]).mean() < 0.5
    assert not (labels[5] & ~labels[3]).any()
    # Given examination click and comment are independent: P(both) = 0.3 * 0.2 / 0.5.
    assert (labels[0] & labels[3]).mean() == pytest.approx(0.12, rel=0.05)
