"""The files of an experiment: atomic, locked, and of one experiment."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ranker.config.tradeoff import SearchSpace
from ranker.tradeoff.offline import RandomOrder, ScoredDay
from ranker.tradeoff.state import ExperimentState, Identity, StateError
from tests.ranker.tradeoff.handmade import TRADEOFF, arms, config, day, sums


@pytest.fixture
def state(tmp_path: Path) -> ExperimentState:
    return ExperimentState(tmp_path / "state")


def opened(state: ExperimentState) -> Identity:
    with state.lock():
        return state.open(config(), TRADEOFF, create=True)


def test_an_experiment_is_opened_again(state: ExperimentState) -> None:
    first = opened(state)
    assert opened(state) == first
    assert len(first.experiment) == 8


def test_two_experiments_have_different_ids(tmp_path: Path) -> None:
    assert len({opened(ExperimentState(tmp_path / str(number))).experiment for number in range(8)}) == 8


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(TRADEOFF, maximize={"like": 1.0}), "tradeoff.maximize"),
        (replace(TRADEOFF, guardrails=()), "tradeoff.guardrails"),
        (replace(TRADEOFF, search=SearchSpace(alpha=(0.1, 1.0))), "tradeoff.search"),
        (replace(TRADEOFF, by="device"), "tradeoff.by"),
    ],
)
def test_another_tradeoff_is_another_experiment(other: object, said: str, state: ExperimentState) -> None:
    opened(state)
    with pytest.raises(StateError, match=f"another {said} than config feed; start a new experiment"):
        state.open(config(other), other, create=True)  # type: ignore[arg-type]


def test_another_current_setting_is_another_experiment(state: ExperimentState) -> None:
    opened(state)
    other = replace(config(), utility=replace(config().utility, alpha=0.6))
    with pytest.raises(StateError, match="another utility than config feed"):
        state.open(other, TRADEOFF, create=True)


def test_how_an_experiment_is_run_may_change(state: ExperimentState) -> None:
    first = opened(state)
    other = replace(TRADEOFF, explored=0.2, min_viewers=10_000, half_life_days=7.0)
    assert state.open(config(other), other, create=True) == first


def test_only_a_new_experiment_is_made(state: ExperimentState) -> None:
    with state.lock(), pytest.raises(StateError, match="there is no experiment; start one with suggest"):
        state.open(config(), TRADEOFF, create=False)


def test_files_without_an_experiment_are_refused(state: ExperimentState) -> None:
    with state.lock():
        state.write_day(day(1, sums("arm", {})))
    with pytest.raises(StateError, match=r"no experiment\.json"):
        opened(state)


def test_versions_and_days_are_read_as_they_were_written(state: ExperimentState) -> None:
    identity = opened(state)
    identity = replace(identity, experiment=arms().experiment)
    (state.root / "experiment.json").write_text(
        json.dumps({"format": 1, "experiment": identity.experiment, "definition": identity.definition})
    )
    first, second = arms(1, 0.3), arms(2, 0.4)
    recorded = day(2, sums("arm", {"click": 1.0}))
    with state.lock():
        state.write_arms(first)
        state.write_arms(second)
        state.write_day(recorded)
    assert state.versions(identity) == {1: first, 2: second}
    assert state.days(identity, config()) == [recorded]
    assert state.arms_file.read_bytes() == (state.root / "arms" / "version-0002.json").read_bytes()


def test_arms_and_days_of_another_experiment_are_refused(state: ExperimentState) -> None:
    identity = opened(state)
    with state.lock():
        state.write_arms(arms(1, 0.3))
        state.write_day(day(1, sums("arm", {})))
    with pytest.raises(StateError, match="it is of experiment 0badcafe"):
        state.versions(identity)
    with pytest.raises(StateError, match="it is of experiment 0badcafe"):
        state.days(identity, config())


@pytest.mark.parametrize(
    "name", ["experiment.json", "arms/version-0001.json", "days/day-2026-03-01.json", "offline.npz"]
)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"format": 9}'])
def test_a_damaged_file_is_one_error_that_names_it(name: str, content: bytes, state: ExperimentState) -> None:
    identity = opened(state)
    file = state.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)

    def read() -> None:
        state.open(config(), TRADEOFF, create=True)
        state.versions(identity)
        state.days(identity, config())
        state.scored_day()

    with pytest.raises(StateError, match=Path(name).name):
        read()


def test_one_command_at_a_time(state: ExperimentState) -> None:
    with state.lock(), pytest.raises(StateError, match="another command is writing there"), state.lock():
        pass
    with state.lock():
        pass


def test_what_a_killed_command_left_behind_is_removed(state: ExperimentState) -> None:
    opened(state)
    left = state.root / ".arms.json.0123.tmp"
    left.write_text("half")
    opened(state)
    assert not left.exists()


@pytest.mark.parametrize("observed", [True, False])
def test_a_scored_day_is_read_as_it_was_written(observed: bool, state: ExperimentState) -> None:
    assert state.scored_day() is None
    generator = np.random.default_rng(0)
    written = ScoredDay(
        np.array([0, 0, 1]),
        generator.random((2, 3)),
        5,
        RandomOrder(np.array([2, 1, 1]), np.array([0.5, 0.5, 1.0]), generator.random((2, 3)), np.array([0, 1]))
        if observed
        else None,
    )
    with state.lock():
        state.write_scored_day(written)
    found = state.scored_day()
    assert found is not None
    assert (found.k, found.method) == (5, written.method)
    coefficients = np.array([1.0, 2.0])
    np.testing.assert_array_equal(found.values(coefficients), written.values(coefficients))
