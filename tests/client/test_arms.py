"""The draw of an arm, and the client's reading of the file that the optimiser writes."""

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from feed_ranker_client import arms as client_arms
from feed_ranker_client.arms import Arms, ArmsError, ServedArms, read_arms
from ranker.tradeoff import arms as written_arms
from ranker.tradeoff.setting import Setting

SETTING = Setting(0.5, 0.1, {"like": 2.0})


def group(cohort: str | None, number: int, *shares: float) -> written_arms.ArmGroup:
    arms = (written_arms.Arm(f"ab12.1.{number}-{i}", SETTING, share) for i, share in enumerate(shares))
    return written_arms.ArmGroup(cohort, tuple(arms))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "arms.json"


def write(file: Path, version: int = 1, *groups: written_arms.ArmGroup) -> None:
    by = "device" if len(groups) > 1 else None
    groups = groups or (group(None, 0, 0.5, 0.3, 0.2),)
    written_arms.Arms(written_arms.FORMAT, "ab12", version, f"ab12.{version}", by, by, groups).write(file)


def arms(file: Path, version: int = 1, *groups: written_arms.ArmGroup) -> Arms:
    write(file, version, *groups)
    return read_arms(file)


def test_a_file_is_read_as_it_was_written(file: Path) -> None:
    assert client_arms.FORMAT == written_arms.FORMAT
    read = arms(file, 3, group(None, 0, 0.5, 0.5), group("größe", 1, 1.0))
    assert (read.version, read.salt, read.by_input) == (3, "ab12.3", "device")
    assert [(arm.id, arm.share) for arm in read.groups[None]] == [("ab12.1.0-0", 0.5), ("ab12.1.0-1", 0.5)]
    [arm] = read.groups["größe"]
    assert (arm.alpha, arm.lambda_, arm.weights) == (SETTING.alpha, SETTING.lambda_, SETTING.weights)


def test_arms_are_drawn_by_their_shares(file: Path) -> None:
    read = arms(file)
    drawn = Counter(read.draw(f"viewer-{number}").id for number in range(20_000))
    for arm in read.groups[None]:
        # Four standard deviations of a share of 20,000 draws.
        assert drawn[arm.id] / 20_000 == pytest.approx(arm.share, abs=4 * (arm.share * (1 - arm.share) / 20_000) ** 0.5)


def test_a_viewer_keeps_the_arm_within_a_version(file: Path) -> None:
    viewers = [f"viewer-{number}" for number in range(200)]
    first, second = arms(file), arms(file)
    assert [first.draw(viewer) for viewer in viewers] == [second.draw(viewer) for viewer in viewers]


def test_a_draw_is_the_same_in_every_process(file: Path) -> None:
    assert [arms(file).draw(viewer).id[-1] for viewer in ("a", "b", "c", "d", "e", "f")] == list("012002")


def test_the_draws_of_two_versions_are_independent(file: Path) -> None:
    halves = group(None, 0, 0.5, 0.5)
    first, second = arms(file, 1, halves), arms(file, 2, halves)
    same = sum(first.draw(str(viewer)).id == second.draw(str(viewer)).id for viewer in range(10_000))
    assert same / 10_000 == pytest.approx(0.5, abs=0.02)


def test_an_arm_of_share_zero_is_never_drawn(file: Path) -> None:
    read = arms(file, 1, group(None, 0, 0.0, 1.0))
    assert {read.draw(str(viewer)).id for viewer in range(1_000)} == {"ab12.1.0-1"}


def test_a_cohort_has_its_own_arms_and_others_share_the_first_group(file: Path) -> None:
    by_device = arms(file, 1, group(None, 0, 1.0), group("ios", 1, 1.0))
    assert by_device.draw("v", "ios").id == "ab12.1.1-0"
    assert by_device.draw("v", "android").id == by_device.draw("v").id == "ab12.1.0-0"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "1", '{"format": 2}', '{"format": 1}'),
        '{"format": 1, "version": 1, "salt": "s", "by_input": null, "groups": []}',
        '{"format": 1, "version": 1, "salt": "s", "by_input": null, "groups": 7}',
        '{"format": 1, "version": 1, "salt": "s", "by_input": null, "groups": [7]}',
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(text: str, file: Path) -> None:
    file.write_text(text)
    for read in (read_arms, ServedArms):
        with pytest.raises(ArmsError, match=r"arms\.json"):
            read(file)


@pytest.mark.parametrize(("field", "value"), [("share", 0.4), ("share", "most"), ("id", None), ("setting", {})])
def test_a_field_of_an_arm_that_is_wrong_or_missing_is_an_error(field: str, value: Any, file: Path) -> None:
    write(file, 1, group(None, 0, 1.0))
    content = json.loads(file.read_text())
    arm = content["groups"][0]["arms"][0]
    arm[field] = value
    if value is None:
        del arm[field]
    file.write_text(json.dumps(content))
    with pytest.raises(ArmsError, match=r"arms\.json"):
        read_arms(file)


def test_a_missing_file_is_an_error(file: Path) -> None:
    with pytest.raises(ArmsError, match="No such file"):
        ServedArms(file)


def test_a_changed_file_is_read_again(file: Path) -> None:
    write(file, 1)
    served = ServedArms(file)
    assert served.current().version == 1
    write(file, 2)
    assert served.current().version == 2


@pytest.mark.parametrize("damage", ["half", "remove"])
def test_a_file_that_is_damaged_later_changes_nothing(
    damage: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(file, 1)
    served = ServedArms(file)
    if damage == "half":
        file.write_text(file.read_text()[:50])
    else:
        file.unlink()
    with caplog.at_level(logging.WARNING):
        assert served.current().version == 1
        assert served.current().version == 1
    assert len([record for record in caplog.records if "version 1 continues to serve" in record.message]) == 1
    write(file, 2)
    assert served.current().version == 2
