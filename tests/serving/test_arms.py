"""The client of an experiment: the viewer's arm ranks, and the ranking says which one it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feed_ranker_client import InvalidRequestError
from feed_ranker_client.arms import ArmsError, read_arms
from ranker.tradeoff.arms import FORMAT, Arm, ArmGroup, Arms
from ranker.tradeoff.setting import Setting
from serving.client import FeedRankerClient
from tests.ranker.export.feed import TinyFeed
from tests.serving.conftest import MODEL
from tests.serving.test_client import features_of

pytestmark = pytest.mark.slow

SETTINGS = (Setting(0.5, 0.1, {}), Setting(0.1, 0.3, {"like": 5.0}), Setting(0.9, 0.0, {"click": 2.0}))


def arms(version: int = 1, by: str | None = None, cohorts: tuple[str | None, ...] = (None,)) -> Arms:
    groups = tuple(
        ArmGroup(
            cohort,
            tuple(
                Arm(f"ab12.{version}.{group}-{number}", setting, share)
                for number, (setting, share) in enumerate(zip(SETTINGS, (0.5, 0.3, 0.2), strict=True))
            ),
        )
        for group, cohort in enumerate(cohorts)
    )
    return Arms(FORMAT, "ab12", version, f"ab12.{version}", by, by, groups)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "arms.json"


def session(feed: TinyFeed, device: str | None = None) -> dict[str, Any]:
    features = features_of(feed, 10)
    return features if device is None else {**features, "device": [device] * 10}


def test_the_viewers_arm_gives_the_trade_off(feed: TinyFeed, address: str, file: Path) -> None:
    arms().write(file)
    like, click, answer = feed.probabilities()[:10].T
    with FeedRankerClient(address, MODEL, timeout_s=60.0, arms=file) as client:
        seen = set()
        for viewer in map(str, range(20)):
            ranking = client.rank(session(feed), viewer=viewer)
            assert ranking.arm == read_arms(file).draw(viewer).id
            number = int(str(ranking.arm)[-1])
            assert ranking.arm_propensity == (0.5, 0.3, 0.2)[number]
            of = SETTINGS[number]
            expected = (
                of.alpha * of.weights.get("click", 1.0) * click
                + (1 - of.alpha) * of.weights.get("like", 3.0) * like
                + of.lambda_ * 2.0 * answer
            )
            np.testing.assert_allclose(ranking.score, expected, atol=5e-6)
            seen.add(number)
        assert seen == {0, 1, 2}


def test_new_arms_take_effect_in_a_running_client(feed: TinyFeed, address: str, file: Path) -> None:
    arms(1).write(file)
    with FeedRankerClient(address, MODEL, timeout_s=60.0, arms=file) as client:
        assert str(client.rank(session(feed), viewer="v").arm).startswith("ab12.1.")
        arms(2).write(file)
        assert str(client.rank(session(feed), viewer="v").arm).startswith("ab12.2.")
        file.write_text("half a fi")
        assert str(client.rank(session(feed), viewer="v").arm).startswith("ab12.2.")


def test_a_cohort_is_the_value_of_a_feature(feed: TinyFeed, address: str, file: Path) -> None:
    arms(by="device", cohorts=(None, "phone")).write(file)
    with FeedRankerClient(address, MODEL, timeout_s=60.0, arms=file) as client:
        assert str(client.rank(session(feed, "phone"), viewer="v").arm).startswith("ab12.1.1-")
        assert str(client.rank(session(feed, "fridge"), viewer="v").arm).startswith("ab12.1.0-")
        mixed = {**session(feed), "device": ["phone"] * 5 + ["fridge"] * 5}
        with pytest.raises(InvalidRequestError, match="device: the arms are by this feature"):
            client.rank(mixed, viewer="v")


def test_a_request_without_a_viewer_is_not_part_of_the_experiment(feed: TinyFeed, address: str, file: Path) -> None:
    arms().write(file)
    with FeedRankerClient(address, MODEL, timeout_s=60.0, arms=file) as client:
        ranking = client.rank(session(feed), alpha=0.4)
        assert (ranking.arm, ranking.arm_propensity) == (None, None)


def test_a_viewer_excludes_a_trade_off_of_the_request(feed: TinyFeed, address: str, file: Path) -> None:
    arms().write(file)
    with FeedRankerClient(address, MODEL, timeout_s=60.0, arms=file) as client:
        for trade_off in ({"alpha": 0.4}, {"lambda_": 0.0}, {"weights": {"like": 1.0}}):
            with pytest.raises(ValueError, match="the viewer's arm gives the trade-off"):
                client.rank(session(feed), viewer="v", **trade_off)  # type: ignore[arg-type]


def test_a_viewer_needs_arms(feed: TinyFeed, client: FeedRankerClient) -> None:
    with pytest.raises(ValueError, match="the client has no file of arms"):
        client.rank(session(feed), viewer="v")


def test_a_client_does_not_start_without_its_arms(address: str, file: Path) -> None:
    with pytest.raises(ArmsError, match="No such file"):
        FeedRankerClient(address, MODEL, arms=file)
