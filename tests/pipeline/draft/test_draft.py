"""What is guessed from a log with odd columns, and that the drafted text is a config."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.draft.columns import Draft, guess_columns
from pipeline.draft.keys import guess_keys
from pipeline.draft.scan import LogScan, scan
from pipeline.draft.text import Names, config_text, quoted
from pipeline.draft.words import words
from ranker.config.pipeline import PipelineConfig
from ranker.feed_log.layout import FeedLogError
from tests.pipeline.draft.logs import DAYS, ROWS, odd_table, write_log
from tests.small_feed_log import day_table, replaced


@pytest.fixture(scope="module")
def odd_log(tmp_path_factory: pytest.TempPathFactory) -> LogScan:
    root = write_log(tmp_path_factory.mktemp("odd"), {day: odd_table(day) for day in DAYS})
    return scan(root, DAYS, DAYS)


@pytest.fixture(scope="module")
def drafts(odd_log: LogScan) -> dict[str, Draft]:
    return {draft.column: draft for draft in guess_columns(odd_log, guess_keys(odd_log, {}))}


@pytest.fixture
def scanned(tmp_path: Path) -> Callable[[pa.Table], LogScan]:
    """A function that scans a log of one day."""

    def one_day(table: pa.Table) -> LogScan:
        day = date(2024, 3, 4)
        return scan(write_log(tmp_path / "log", {day: table}), [day], [day])

    return one_day


def test_every_row_is_counted(odd_log: LogScan) -> None:
    store, price, vector = (odd_log.columns[name] for name in ("store_id", "price", "vector"))
    assert odd_log.rows == store.rows == 3 * ROWS
    assert store.nulls == 3 * 34
    assert store.distinct == set(range(11))
    assert store.whole
    assert not price.whole
    assert 0.01 <= price.least < price.largest <= 99.99
    assert vector.sizes == {3}
    assert odd_log.columns["Ort"].distinct == {"Köln".encode("latin-1"), "Bonn"}
    assert odd_log.columns["Orte"].nulls == 3


def test_keys_are_found_by_what_they_determine_where_names_do_not_tell(odd_log: LogScan) -> None:
    keys = {role: guess.column for role, guess in guess_keys(odd_log, {}).items()}
    assert keys == {"session": "Kunden Nr.", "viewer": "Kunden Nr.", "item": "商品", "timestamp": "gezeigt um"}


def test_named_keys_are_taken(odd_log: LogScan) -> None:
    assert guess_keys(odd_log, {"item": "free text"})["item"].column == "free text"
    with pytest.raises(FeedLogError, match=r"--viewer price: a key is .*, in every row; it has fractions"):
        guess_keys(odd_log, {"viewer": "price"})
    with pytest.raises(FeedLogError, match="--item ware: the log has no such column; it has Kunden Nr"):
        guess_keys(odd_log, {"item": "ware"})


@pytest.mark.parametrize(
    ("column", "field", "active"),
    [
        ("store_id", "categorical", True),  # whole floats: integers with gaps
        ("is premium", "numeric", True),  # the viewer determines it, so it is no outcome
        ("on sale", "numeric", True),
        ("born", "left_out", False),
        ("price", "numeric", True),
        ("signal", "numeric", True),
        ("constant", "left_out", False),
        ("nothing", "left_out", False),
        ("nested", "left_out", False),
        ("vector", "dense", True),
        ("gaps", "left_out", False),
        ("tags", "multi_valued", True),
        ("free text", "left_out", False),
        ("Ort", "categorical", True),
        ("Orte", "multi_valued", True),
        ("", "left_out", False),
        ("rank", "exposure", True),
        ("labels", "numeric", True),
        ("Käufe?", "objectives", True),
        ("Umsatz", "numeric", False),
    ],
)
def test_columns_by_type_and_values(column: str, field: str, active: bool, drafts: dict[str, Draft]) -> None:
    draft = drafts[column]
    assert (draft.field, draft.active) == (field, active)
    assert draft.comment


def test_only_a_column_that_tells_the_outcome_has_a_warning(drafts: dict[str, Draft]) -> None:
    [warned] = [draft for draft in drafts.values() if draft.warning]
    assert warned.column == "Umsatz"
    assert warned.warning == "it tells Käufe?, AUC 1.000: known only afterwards?"


def test_the_text_is_a_config(odd_log: LogScan) -> None:
    keys = guess_keys(odd_log, {})
    text = config_text("odd", odd_log, keys, guess_columns(odd_log, keys))
    namespace: dict[str, dict[str, PipelineConfig]] = {"CONFIGS": {}}
    exec(text, namespace)
    config = namespace["CONFIGS"]["odd"]
    assert config.objective_names == ("Kaufe",)
    assert config.objectives[0].source == "Käufe?"
    sources = {column.name: column.source for column in config.features.columns}
    assert sources["is_premium"] == "is premium"
    assert sources["labels_2"] == "labels"  # reserved
    assert sources["store_id"] == "store_id"
    assert sources["weight_Kaufe_2"] == "weight_Kaufe"  # the weight of an objective is an input of the model
    assert max(map(len, text.splitlines())) <= 120
    assert '# Numeric("Umsatz"' not in text
    assert '            # "Umsatz",  # WARNING: it tells Käufe?' in text
    alone: dict[str, dict[str, PipelineConfig]] = {}
    exec(text, alone)
    assert alone["CONFIGS"] == {"odd": config}


def test_embeddings_are_inputs_of_the_forest_where_nothing_else_is(scanned: Callable[[pa.Table], LogScan]) -> None:
    keys = ["session_id", "viewer_id", "item_id", "timestamp"]
    log = scanned(day_table(300, 1).select([*keys, "content", "click"]))
    guessed = guess_keys(log, {})
    namespace: dict[str, dict[str, PipelineConfig]] = {}
    exec(config_text("small", log, guessed, guess_columns(log, guessed)), namespace)
    assert len(namespace["CONFIGS"]["small"].features.forest_names) == 3


def test_a_rare_outcome_is_no_feature_of_items_that_hardly_come_back(scanned: Callable[[pa.Table], LogScan]) -> None:
    table = replaced(day_table(300, 1), "like", pa.array(np.arange(300) % 97 == 5))
    log = scanned(table)
    found = {draft.column: draft for draft in guess_columns(log, guess_keys(log, {}))}
    assert found["like"].field == "objectives"
    assert found["like"].active


OUTCOMES = {
    "click": ([2, *[0, 1] * 149, 0], "objectives", "1 of 300 rows is 2; an objective is 0 or 1"),
    "reply": ([-1, 0, 1] * 100, "objectives", "100 of 300 rows are -1; an objective is 0 or 1"),
    "open": ([None, 1, 1] * 100, "objectives", "200 of 300 rows are 1, and the others are missing; an objective is 0"),
    "saved": ([1, 2] * 150, "objectives", "150 of 300 rows are 2; an objective is 0 or 1"),
    "hide": ([float("inf"), *[0.0, 1.0] * 149, 0.0], "objectives", "1 of 300 rows is infinite; an objective is 0 or"),
    "vote": ([*range(2, 9), *[0, 1] * 146, 0], "objectives", "7 of 300 rows are 2, 3, 4, …; an objective is 0 or 1"),
    "watch_s": ([number % 97 / 2 for number in range(300)], "numeric", "numbers from 0 to 48; the name speaks of an o"),
    "applied": ([0] * 300, "left_out", "left out: the same in all rows: '0'"),
    "joined": (["yes", "no", "?"] * 100, "left_out", "an outcome as text, 3 values? An objective is 0 or 1"),
}


def test_a_column_named_as_an_outcome_is_no_feature(scanned: Callable[[pa.Table], LogScan]) -> None:
    table = day_table(300, 1).drop_columns(["dwell_ms"])
    for name, (values, _, _) in OUTCOMES.items():
        there = name in table.schema.names
        table = replaced(table, name, pa.array(values)) if there else table.append_column(name, pa.array(values))
    log = scanned(table)
    keys = guess_keys(log, {})
    drafts = guess_columns(log, keys)
    warned = {draft.column: draft for draft in drafts if draft.warning}
    assert warned.keys() == OUTCOMES.keys()
    for name, (_, field, warning) in OUTCOMES.items():
        assert (warned[name].field, warned[name].active) == (field, False)
        assert warned[name].warning.startswith(warning)
    text = config_text("small", log, keys, drafts)
    assert "# WARNING: 1 of 300 rows is 2; an objective is 0 or 1" in text
    assert '# - "applied": WARNING: left out: the same in all rows' in text
    namespace: dict[str, dict[str, PipelineConfig]] = {}
    exec(text, namespace)
    config = namespace["CONFIGS"]["small"]
    assert config.objective_names == ("like",)
    assert not {column.source for column in config.features.columns} & OUTCOMES.keys()


def test_statistics_of_earlier_outcomes_are_features(scanned: Callable[[pa.Table], LogScan]) -> None:
    names = ("user_click_rate", "item_click_count_7d", "video_impressions", "follow_user_num", "like_share_30d", "book")
    table = day_table(300, 1).drop_columns(["dwell_ms"])
    for name in names[:-1]:
        table = table.append_column(name, pa.array(np.random.default_rng(1).integers(0, 4, 300)))
    # Every item is shown five times, and has the same value each time.
    table = replaced(table, "item_id", pa.array([f"i{number % 60}" for number in range(300)]))
    table = table.append_column("book", pa.array([number % 60 % 4 for number in range(300)]))
    log = scanned(table)
    given = {"session": "session_id", "viewer": "viewer_id", "item": "item_id"}
    found = {draft.column: draft for draft in guess_columns(log, guess_keys(log, given))}
    assert {name: (found[name].field, found[name].active) for name in names} == dict.fromkeys(names, ("numeric", True))


def test_a_column_that_a_file_has_twice_is_no_key(scanned: Callable[[pa.Table], LogScan]) -> None:
    table = day_table(300, 1)
    log = scanned(table.append_column("timestamp", table["timestamp"]))
    with pytest.raises(FeedLogError, match=r"no column can be the timestamp: .*; 'timestamp' stands more than once"):
        guess_keys(log, {})
    with pytest.raises(FeedLogError, match=r"^--timestamp timestamp: it stands more than once in a file$"):
        guess_keys(log, {"timestamp": "timestamp"})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"item": "shown"},
            "--item shown: it is the timestamp too, and only session and viewer may share a column",
        ),
        (
            {"session": "shown", "timestamp": "shown"},
            "--session and --timestamp shown: only session and viewer may",
        ),
        (
            {"viewer": "item_id", "item": "item_id"},
            "--viewer and --item item_id: only session and viewer may",
        ),
    ],
)
def test_a_column_is_one_key(given: dict[str, str], problem: str, scanned: Callable[[pa.Table], LogScan]) -> None:
    table = day_table(300, 1)
    milliseconds = pa.array(table["timestamp"].cast("int64").to_numpy() // 1_000)
    log = scanned(table.drop_columns(["timestamp"]).append_column("shown", milliseconds))
    with pytest.raises(FeedLogError, match=f"^{problem}"):
        guess_keys(log, given)


def test_a_log_with_a_single_id_says_what_to_add(scanned: Callable[[pa.Table], LogScan]) -> None:
    log = scanned(day_table(300, 1).select(["viewer_id", "timestamp", "age_hours", "click"]))
    with pytest.raises(FeedLogError, match="only 'viewer_id' can be an id; the item needs a column other than"):
        guess_keys(log, {})


def test_a_session_named_so_is_one(scanned: Callable[[pa.Table], LogScan]) -> None:
    table = day_table(300, 1)
    table = replaced(table, "viewer_id", pa.array(np.arange(300) // 9))
    keys = guess_keys(scanned(table), {})
    assert {role: guess.column for role, guess in keys.items()} == {
        "session": "session_id",
        "viewer": "viewer_id",
        "item": "item_id",
        "timestamp": "timestamp",
    }
    assert "each has one viewer_id" in keys["session"].why


def test_a_position_within_the_session_is_no_key(scanned: Callable[[pa.Table], LogScan]) -> None:
    columns = day_table(300, 1).rename_columns(
        [
            {"session_id": "sid", "viewer_id": "uid", "item_id": "iid"}.get(name, name)
            for name in day_table(1).schema.names
        ]
    )
    log = scanned(columns.append_column("session_position", pa.array(np.arange(300) % 3)))
    keys = guess_keys(log, {})
    assert {guess.column for guess in keys.values()} == {"sid", "uid", "iid", "timestamp"}
    [position] = [draft for draft in guess_columns(log, keys) if draft.column == "session_position"]
    assert (position.field, position.default) == ("exposure", 0.0)


def test_a_log_without_a_time_says_what_is_wrong_with_each_column(scanned: Callable[[pa.Table], LogScan]) -> None:
    table = day_table(300, 1)
    seconds = table["timestamp"].cast("int64").to_numpy() // 1_000_000
    with pytest.raises(
        FeedLogError, match=r"no column can be the timestamp: .*'timestamp' 300 of 300 rows are of anot"
    ):
        guess_keys(scanned(replaced(table, "timestamp", pa.array(seconds))), {})


def test_names_of_a_config() -> None:
    names = Names()
    assert [names.of(name) for name in ("a b", "a_b", "class", "1st", "numeric", "品", "A_B")] == [
        "a_b",
        "a_b_2",
        "class",
        "1st",
        "numeric_2",
        "品",
        "A_B_3",
    ]
    assert names.of("Käufe", objective=True) == "Kaufe"
    assert [names.of("utility", objective) for objective in (True, False)] == ["utility_2", "utility"]
    assert quoted('a "b"\n') == repr('a "b"\n')
    assert quoted("it's") == '"it\'s"'
    assert words("viewerId per_day 30d") == ["viewer", "id", "per", "day", "30d"]
