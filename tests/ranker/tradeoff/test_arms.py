"""The draw of an arm, and the file that serving reads."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from ranker.tradeoff.arms import FORMAT, Arm, ArmGroup, Arms, ArmsError, ServedArms, read_arms
from ranker.tradeoff.setting import Setting

SETTING = Setting(0.5, 0.1, {"like": 2.0})


def group(cohort: str | None, number: int, *shares: float) -> ArmGroup:
    return ArmGroup(cohort, tuple(Arm(f"ab12.1.{number}-{i}", SETTING, share) for i, share in enumerate(shares)))


def arms(version: int = 1, *groups: ArmGroup) -> Arms:
    by = "device" if len(groups) > 1 else None
    return Arms(FORMAT, "ab12", version, f"ab12.{version}", by, by, groups or (group(None, 0, 0.5, 0.3, 0.2),))


def test_arms_are_drawn_by_their_shares() -> None:
    drawn = Counter(arms().draw(f"viewer-{number}").id for number in range(20_000))
    for arm in arms().groups[0].arms:
        # Four standard deviations of a share of 20,000 draws.
        assert drawn[arm.id] / 20_000 == pytest.approx(arm.share, abs=4 * (arm.share * (1 - arm.share) / 20_000) ** 0.5)


def test_a_viewer_keeps_the_arm_within_a_version() -> None:
    viewers = [f"viewer-{number}" for number in range(200)]
    assert [arms().draw(viewer) for viewer in viewers] == [arms().draw(viewer) for viewer in viewers]


def test_a_draw_is_the_same_in_every_process() -> None:
    assert [arms().draw(viewer).id[-1] for viewer in ("a", "b", "c", "d", "e", "f")] == list("012002")


def test_the_draws_of_two_versions_are_independent() -> None:
    halves = group(None, 0, 0.5, 0.5)
    first, second = arms(1, halves), arms(2, halves)
    same = sum(first.draw(str(viewer)).id == second.draw(str(viewer)).id for viewer in range(10_000))
    assert same / 10_000 == pytest.approx(0.5, abs=0.02)


def test_an_arm_of_share_zero_is_never_drawn() -> None:
    drawn = {arms(1, group(None, 0, 0.0, 1.0)).draw(str(viewer)).id for viewer in range(1_000)}
    assert drawn == {"ab12.1.0-1"}


def test_a_cohort_has_its_own_arms_and_others_share_the_first_group() -> None:
    by_device = arms(1, group(None, 0, 1.0), group("ios", 1, 1.0))
    assert by_device.draw("v", "ios").id == "ab12.1.1-0"
    assert by_device.draw("v", "android").id == by_device.draw("v").id == "ab12.1.0-0"


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ((), "first one has to be that of everybody else"),
        ((group("ios", 0, 1.0),), "first one has to be that of everybody else"),
        ((group(None, 0, 0.5, 0.4),), "do not add up to 1"),
        ((group(None, 0, 1.5, -0.5),), "do not add up to 1"),
        ((group(None, 0, 1.0), group("ios", 0, 1.0)), "id of an arm occurs twice"),
        ((group(None, 0, 1.0), group("ios", 1, 1.0), group("ios", 2, 1.0)), "a cohort occurs twice"),
    ],
)
def test_arms_that_cannot_be_drawn_are_refused(groups: tuple[ArmGroup, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Arms(FORMAT, "ab12", 1, "salt", None, None, groups)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = arms(3, group(None, 0, 0.5, 0.5), group("größe", 1, 1.0))
    written.write(tmp_path / "arms.json")
    assert read_arms(tmp_path / "arms.json") == written


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}'])
def test_a_damaged_file_is_an_error_that_names_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "arms.json").write_text(text)
    with pytest.raises(ArmsError, match=r"arms\.json"):
        read_arms(tmp_path / "arms.json")
    with pytest.raises(ArmsError, match=r"arms\.json"):
        ServedArms(tmp_path / "arms.json")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArmsError, match="No such file"):
        ServedArms(tmp_path / "arms.json")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    arms(1).write(tmp_path / "arms.json")
    served = ServedArms(tmp_path / "arms.json")
    assert served.current().version == 1
    arms(2).write(tmp_path / "arms.json")
    assert served.current().version == 2


@pytest.mark.parametrize("damage", ["half", "remove"])
def test_a_file_that_is_damaged_later_changes_nothing(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "arms.json"
    arms(1).write(file)
    served = ServedArms(file)
    if damage == "half":
        file.write_text(file.read_text()[:50])
    else:
        file.unlink()
    with caplog.at_level(logging.WARNING):
        assert served.current().version == 1
        assert served.current().version == 1
    assert len([record for record in caplog.records if "version 1 continues to serve" in record.message]) == 1
    arms(2).write(file)
    assert served.current().version == 2
