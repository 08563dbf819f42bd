"""The sums of a day whose columns have other names in the log."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from ranker.config.columns import Categorical
from ranker.config.tradeoff import TradeOff
from ranker.feed_log.writing import write_day
from ranker.tradeoff.recording import read_day
from tests.ranker.tradeoff import handmade
from tests.ranker.trained import CONFIG, rows_of
from tests.small_feed_log import EVAL_DAY

TRADEOFF = TradeOff(maximize={"click": 1.0}, by="phone")


def test_cohorts_are_the_values_of_the_features_column(tmp_path: Path) -> None:
    """The column may be the viewer's key, too."""
    arms = handmade.arms(1, 0.2, by="phone")
    shown = arms.groups[0].arms[0]
    table = rows_of(60, seed=1)
    table = table.set_column(0, "session_id", pa.array([f"s{row}" for row in range(60)]))
    table = table.append_column("arm", pa.array([shown.id] * 60))
    table = table.append_column("arm_propensity", pa.array([shown.share] * 60, pa.float32()))
    for column in ("Gerät", "viewer_id"):
        features = replace(CONFIG.features, categorical=(Categorical("phone", column=column),), ids=())
        config = replace(CONFIG, features=features, slices=(), tradeoff=TRADEOFF)
        named = table if column in table.schema.names else table.append_column(column, table["device"])
        write_day(tmp_path, EVAL_DAY, named.to_batches(), overwrite=True)
        found = read_day(config, TRADEOFF, handmade.EXPERIMENT, {1: arms}, tmp_path, EVAL_DAY)
        values = ["" if value is None else str(value) for value in named[column].to_pylist()]
        assert {sums.cohort: sum(sums.sessions) for sums in found.arms} == {
            value: values.count(value) for value in set(values)
        }
