from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from datasets.kuairand.conversion import feed_log_days
from datasets.kuairand.files import find_raw_files
from datasets.kuairand.raw import read_raw
from pipeline_config import KUAIRAND
from ranker.feed_log.columns import check_schema, columns_of

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "kuairand_pure"

ROWS = [14_911, 14_530, 14_328, 13_972, 15_839, 21_204, 20_790, 19_554, 18_943, 17_600]


@pytest.fixture(scope="module")
def days() -> dict[date, pa.Table]:
    """The feed log of the real sample."""
    if not SAMPLE.is_dir():
        pytest.skip("the KuaiRand-Pure sample is not there (../shared/data/kuairand_pure)")
    return dict(feed_log_days(read_raw(find_raw_files(SAMPLE))))


def test_days_and_rows(days: dict[date, pa.Table]) -> None:
    assert [len(rows) for rows in days.values()] == ROWS
    assert min(days) == date(2022, 4, 25)
    assert max(days) == date(2022, 5, 4)


def test_base_rates(days: dict[date, pa.Table]) -> None:
    rates = {
        objective: sum(pc.sum(rows[objective]).as_py() for rows in days.values()) / sum(ROWS)
        for objective in KUAIRAND.objective_names
    }
    assert rates == pytest.approx(
        {
            "click": 0.443284,
            "long_view": 0.311899,
            "profile_enter": 0.018716,
            "like": 0.017452,
            "comment": 0.002546,
            "follow": 0.001305,
            "forward": 0.000798,
            "hate": 0.000839,
        },
        abs=1e-6,
    )


def test_every_day_has_the_columns_that_the_pipeline_requires(days: dict[date, pa.Table]) -> None:
    columns = columns_of(KUAIRAND.objective_names, KUAIRAND.features, KUAIRAND.keys, ids=("author_id",)).columns
    for rows in days.values():
        check_schema("sample", rows.schema, columns)
        assert sorted(rows.column_names) == sorted(column.name for column in columns)


def test_histories_exist_from_the_second_day(days: dict[date, pa.Table]) -> None:
    first, *later = days.values()
    assert first["video_click_rate"].null_count == len(first)
    for rows in later:
        assert rows["video_click_rate"].null_count == 0
        # Videos that were clicked before are clicked again: the history is predictive.
        by_click = dict(rows.group_by("click").aggregate([("video_click_rate", "mean")]).to_pandas().to_numpy())
        assert by_click[1] > by_click[0]
