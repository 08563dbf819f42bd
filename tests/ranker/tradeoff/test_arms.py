"""The file of arms that serving reads."""

from pathlib import Path

import pytest

from ranker.tradeoff.arms import FORMAT, Arm, ArmGroup, Arms, ArmsError, read_arms
from ranker.tradeoff.setting import Setting

SETTING = Setting(0.5, 0.1, {"like": 2.0})


def group(cohort: str | None, number: int, *shares: float) -> ArmGroup:
    return ArmGroup(cohort, tuple(Arm(f"ab12.1.{number}-{i}", SETTING, share) for i, share in enumerate(shares)))


def arms(version: int = 1, *groups: ArmGroup) -> Arms:
    by = "device" if len(groups) > 1 else None
    return Arms(FORMAT, "ab12", version, f"ab12.{version}", by, by, groups or (group(None, 0, 0.5, 0.3, 0.2),))


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


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArmsError, match="No such file"):
        read_arms(tmp_path / "arms.json")
