import pyarrow as pa
import pytest

from ranker.config.columns import Categorical, Exposure, Features, Keys, Numeric
from ranker.config.documents import from_json, to_json
from ranker.config.exploration import Exploration
from ranker.config.objectives import Objective
from ranker.features.log_column import LogColumn
from ranker.feed_log.columns import LogColumns, check_schema, columns_of
from ranker.feed_log.layout import FeedLogError


def test_columns_come_from_the_config_and_survive_json(columns: LogColumns) -> None:
    assert [(c.name, c.kind, c.size) for c in columns.columns] == [
        ("session_id", "id", 1),
        ("viewer_id", "id", 1),
        ("item_id", "id", 1),
        ("timestamp", "timestamp", 1),
        ("age_hours", "numeric", 1),
        ("impressions", "numeric", 1),
        ("device", "categorical", 1),
        ("cohort", "categorical", 1),
        ("topics", "multi_valued", 1),
        ("content", "dense", 3),
        ("click", "objective", 1),
        ("like", "objective", 1),
    ]
    assert from_json(LogColumns, to_json(columns)) == columns


def test_exposure_is_read_by_its_defaults_type() -> None:
    exposure = (Exposure("position", default=1.0), Exposure("slot", default="feed"))
    columns = columns_of(("click",), Features(numeric=("age_hours",), exposure=exposure), Keys()).columns
    assert [(c.name, c.kind) for c in columns[4:]] == [
        ("age_hours", "numeric"),
        ("position", "numeric"),
        ("slot", "categorical"),
        ("click", "objective"),
    ]


def test_what_only_modelling_reads_does_not_change_the_columns() -> None:
    small = Features(categorical=(Categorical("device", vocabulary_size=10),))
    large = Features(categorical=(Categorical("device", vocabulary_size=99),))
    assert columns_of(("click",), small, Keys()) == columns_of(("click",), large, Keys())


def test_exploration_follows_the_keys() -> None:
    features = Features(numeric=("age_hours",))
    explored = columns_of(("click",), features, Keys(), exploration=Exploration(randomised="shuffled"))
    assert [(c.name, c.kind) for c in explored.columns[4:]] == [
        ("shuffled", "randomised"),
        ("propensity", "propensity"),
        ("age_hours", "numeric"),
        ("click", "objective"),
    ]
    assert from_json(LogColumns, to_json(explored)) == explored


def test_a_column_of_another_name_is_looked_for_and_named_in_errors() -> None:
    features = Features(numeric=(Numeric("age", column="Age (h)"),), categorical=(Categorical("item_id"),))
    columns = columns_of(
        (Objective("click", "passive", column="Clicked?"),), features, Keys(session="my visit")
    ).columns
    assert {c.name: c.source for c in columns if c.name != c.source} == {
        "session_key": "my visit",
        "item_key": "item_id",
        "age": "Age (h)",
        "click": "Clicked?",
    }
    types = {"my visit": pa.int64(), "viewer_id": pa.int64(), "item_id": pa.int64(), "timestamp": pa.int64()}
    schema = pa.schema({**types, "Age (h)": pa.string(), "Clicked?": pa.bool_()})
    with pytest.raises(FeedLogError, match=r"numeric column 'Age \(h\)' is string"):
        check_schema("a.parquet", schema, columns)
    with pytest.raises(FeedLogError, match=r"no column 'Clicked\?' \(did you mean 'Clicked'\?\)"):
        check_schema("a.parquet", pa.schema({**types, "Age (h)": pa.int8(), "Clicked": pa.bool_()}), columns)


def test_missing_columns_are_listed_with_a_suggestion() -> None:
    schema = pa.schema({"Click": pa.int8(), "age_hour": pa.float32(), "x": pa.int8()})
    wanted = [LogColumn("click", "objective"), LogColumn("age_hours", "numeric"), LogColumn("device", "categorical")]
    with pytest.raises(FeedLogError) as raised:
        check_schema("log/a.parquet", schema, wanted)
    assert str(raised.value) == (
        "log/a.parquet: no column 'click' (did you mean 'Click'?), 'age_hours' (did you mean 'age_hour'?), 'device'; "
        "it has Click, age_hour, x"
    )


def test_a_long_list_of_missing_columns_is_cut() -> None:
    wanted = [LogColumn(f"feature_{i}", "numeric") for i in range(7)]
    with pytest.raises(FeedLogError, match=r"no column 'feature_0', .*, 'feature_4' and 2 others; it has x"):
        check_schema("a.parquet", pa.schema({"x": pa.int8()}), wanted)


def test_a_name_that_stands_twice_is_refused() -> None:
    schema = pa.schema([("click", pa.int8()), ("click", pa.int8())])
    with pytest.raises(FeedLogError, match=r"a\.parquet: column 'click' stands there more than once"):
        check_schema("a.parquet", schema, [LogColumn("click", "objective")])


def test_a_column_of_a_type_that_its_kind_does_not_accept_is_named() -> None:
    schema = pa.schema({"age_hours": pa.string(), "click": pa.int8()})
    check_schema("a.parquet", schema, [LogColumn("click", "objective")])
    with pytest.raises(FeedLogError) as raised:
        check_schema("a.parquet", schema, [LogColumn("click", "objective"), LogColumn("age_hours", "numeric")])
    assert str(raised.value) == (
        "a.parquet: numeric column 'age_hours' is string; accepted are bool, integers, floats and decimals"
    )
