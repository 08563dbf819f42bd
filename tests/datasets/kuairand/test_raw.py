import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from datasets.kuairand.files import RawDataError, find_raw_files
from datasets.kuairand.raw import RawTables, read_raw, rows_of
from tests.datasets.kuairand.handmade import LOG, USERS, VIDEOS, impression, write_csv, write_raw

EARLIER_LOG = "log_standard_4_08_to_4_26_pure.csv"
LATER_LOG = "log_standard_4_27_to_5_08_pure.csv"


def read(folder: Path) -> RawTables:
    return read_raw(find_raw_files(folder))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_reads_plain_and_compressed_files(tmp_path: Path, suffix: str) -> None:
    raw = read(write_raw(tmp_path, suffix=suffix))
    assert raw.days == (date(2022, 4, 25), date(2022, 4, 26), date(2022, 4, 27))
    assert raw.log["day"].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert raw.log["time_ms"].groupby(raw.log["day"]).apply(lambda times: times.is_monotonic_increasing).all()
    assert raw.users["user_id"].to_pylist() == [1, 2]
    assert raw.users["onehot_feat12"].to_pylist() == [1, None]
    assert raw.videos["music_type"].type == pa.int64()
    assert raw.videos["upload_day"].to_pylist() == [(date(2022, 4, 20) - date(1970, 1, 1)).days] * 2


def test_repeated_rows_are_kept(tmp_path: Path) -> None:
    assert len(read(write_raw(tmp_path, [*LOG, LOG[-1]])).log) == len(LOG) + 1


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        (
            "user_features_pure.csv",
            [USERS[0], USERS[1] | {"register_days": "many"}],
            "user_features_pure.csv: column register_days, line 3: expected a number, got 'many'",
        ),
        (
            "user_features_pure.csv",
            [USERS[0] | {"onehot_feat4": "1.5"}],
            "user_features_pure.csv: column onehot_feat4, line 2: expected an integer, got 1.5",
        ),
        *(
            (
                "user_features_pure.csv",
                [USERS[0] | {"onehot_feat4": text}],
                f"user_features_pure.csv: column onehot_feat4, line 2: expected an integer, got {shown}",
            )
            for text, shown in (("inf", "inf"), ("-inf", "-inf"), ("nan", "nan"), ("1e300", "1e+300"))
        ),
        (
            "user_features_pure.csv",
            [USERS[0], USERS[0]],
            "user_features_pure.csv: column user_id, line 3: 2 is in more than one row",
        ),
        (
            "video_features_basic_pure.csv",
            [VIDEOS[0] | {"video_id": "v1"}],
            "video_features_basic_pure.csv: column video_id, line 2: expected an integer, got 'v1'",
        ),
        (
            "video_features_basic_pure.csv",
            [VIDEOS[0], VIDEOS[1] | {"upload_dt": "20 April"}],
            "video_features_basic_pure.csv: column upload_dt, line 3: expected a day as YYYY-MM-DD, got '20 April'",
        ),
        (
            LATER_LOG,
            [LOG[5], LOG[6] | {"play_time_ms": "1.5"}],
            f"{LATER_LOG}: column play_time_ms, line 3: expected an integer, got '1.5'",
        ),
        (
            LATER_LOG,
            [LOG[5], LOG[6], LOG[7] | {"is_like": 2}],
            f"{LATER_LOG}: column is_like, line 4: expected 0 or 1, got 2",
        ),
        (
            LATER_LOG,
            [LOG[5] | {"time_ms": ""}],
            f"{LATER_LOG}: column time_ms, line 2: the value is missing",
        ),
        *(
            (
                LATER_LOG,
                [LOG[5] | {"play_time_ms": text}],
                f"{LATER_LOG}: column play_time_ms, line 2: expected an integer, got '{text}'",
            )
            for text in ("1e3", "1.0", str(10**30), str(-(10**30)))
        ),
        *(
            (
                LATER_LOG,
                [LOG[5], LOG[6] | {"time_ms": time}],
                f"{LATER_LOG}: column time_ms, line 3: expected milliseconds since 1970 on the row's date 20220427 in "
                f"Shanghai, got {time}",
            )
            for time in (0, LOG[6]["time_ms"] // 1000, LOG[6]["time_ms"] * 1000, -(2**63), 2**63 - 1)
        ),
        (
            LATER_LOG,
            [LOG[5], LOG[6], LOG[7] | {"duration_ms": -5}],
            f"{LATER_LOG}: column duration_ms, line 4: expected 0 or more, got -5",
        ),
        (
            LATER_LOG,
            [LOG[5] | {"play_time_ms": -500_000}],
            f"{LATER_LOG}: column play_time_ms, line 2: expected 0 or more, got -500000",
        ),
        *(
            (
                "user_features_pure.csv",
                [USERS[0], USERS[1] | {column: text}],
                f"user_features_pure.csv: column {column}, line 3: expected a finite number, 0 or more, got {shown}",
            )
            for column, text, shown in (
                ("follow_user_num", "-1", "-1.0"),
                ("fans_user_num", "nan", "nan"),
                ("friend_user_num", "-inf", "-inf"),
                ("register_days", "inf", "inf"),
            )
        ),
        *(
            (
                "video_features_basic_pure.csv",
                [VIDEOS[0] | {column: text}],
                f"video_features_basic_pure.csv: column {column}, line 2: expected a finite number, 0 or more, got "
                f"{shown}",
            )
            for column, text, shown in (("server_width", "inf", "inf"), ("server_height", "-3", "-3.0"))
        ),
        (
            LATER_LOG,
            [LOG[5] | {"date": 20220431}],
            f"{LATER_LOG}: column date, line 2: expected a day as YYYYMMDD, got 20220431",
        ),
    ],
)
def test_wrong_values(raw_folder: Path, file: str, rows: list[dict[str, object]], message: str) -> None:
    write_csv(raw_folder / file, rows)
    with pytest.raises(RawDataError) as caught:
        read(raw_folder)
    assert str(caught.value) == f"{raw_folder}/{message}"


def test_zero_and_missing_numbers_are_valid(raw_folder: Path) -> None:
    write_csv(raw_folder / LATER_LOG, [LOG[5] | {"duration_ms": 0, "play_time_ms": 0}])
    write_csv(raw_folder / "user_features_pure.csv", [USERS[0] | {"fans_user_num": 0, "register_days": ""}])
    write_csv(raw_folder / "video_features_basic_pure.csv", [VIDEOS[0] | {"server_width": 0, "server_height": ""}])
    raw = read(raw_folder)
    assert raw.log["duration_ms"].tolist()[-1] == 0
    assert raw.users.select(["fans_user_num", "register_days"]).to_pylist() == [
        {"fans_user_num": 0, "register_days": None}
    ]
    assert raw.videos.select(["server_width", "server_height"]).to_pylist() == [
        {"server_width": 0, "server_height": None}
    ]


@pytest.mark.parametrize(
    ("copy", "rows", "message"),
    [
        # In the order of their names, the copy is the first of the two.
        ("log_standard_4_08_to_4_26_pure (1).csv", LOG[:5], "{original}: 5 of its 5 impressions are in {copy}, too"),
        ("log_standard_a.csv.gz", LOG[:5], "{copy}: 5 of its 5 impressions are in {original}, too"),
        (
            "log_standard_a.csv",
            [LOG[0], *LOG[:2], LOG[5] | {"tab": 2, "date": "20220426"}],
            "{copy}: 3 of its 4 impressions are in {original}, too",
        ),
        ("log_standard_a.csv", [LOG[0] | {"play_time_ms": 1}], "{copy}: 1 of its 1 impressions are in {original}, too"),
        ("log_random_4_22_to_5_08_pure.csv", LOG[:5], "{copy}: 5 of its 5 impressions are in {original}, too"),
    ],
)
def test_an_impression_in_two_files(raw_folder: Path, copy: str, rows: list[dict[str, object]], message: str) -> None:
    write_csv(raw_folder / copy, rows)
    with pytest.raises(RawDataError) as caught:
        read(raw_folder)
    assert str(caught.value) == message.format(copy=raw_folder / copy, original=raw_folder / EARLIER_LOG) + (
        " (user_id, video_id, date, time_ms, is_rand are equal); each may be in one file only, or it would count twice"
    )


def test_an_impression_may_be_logged_again_with_the_next_date_or_as_a_random_one(raw_folder: Path) -> None:
    late = impression(2, 11, "2022-04-26 23:59")
    write_csv(raw_folder / EARLIER_LOG, [*LOG[:5], late])
    write_csv(raw_folder / LATER_LOG, [late | {"date": "20220427"}, *LOG[5:]])
    write_csv(raw_folder / "log_random_4_22_to_5_08_pure.csv", [late | {"is_rand": 1}])
    assert len(read(raw_folder).log) == len(LOG) + 3


@pytest.mark.parametrize("file", ["user_features_pure.csv", "video_features_basic_pure.csv"])
def test_a_table_without_rows(raw_folder: Path, file: str) -> None:
    path = raw_folder / file
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(RawDataError, match=rf"{file}: it holds no row; expected one for each (user|video)_id$"):
        read(raw_folder)


@pytest.mark.parametrize(
    ("file", "rows", "column"),
    [
        (LATER_LOG, LOG, "is_click"),
        ("user_features_pure.csv", USERS, "user_active_degree"),
        ("video_features_basic_pure.csv", VIDEOS, "tag"),
    ],
)
def test_missing_column(raw_folder: Path, file: str, rows: list[dict[str, object]], column: str) -> None:
    write_csv(raw_folder / file, [{k: v for k, v in row.items() if k != column} for row in rows])
    with pytest.raises(RawDataError, match=rf"{file}: the column {column} is missing; the header holds "):
        read(raw_folder)


@pytest.mark.parametrize(("name", "times"), [("user_id", 2), ("register_days", 3)])
def test_column_twice(raw_folder: Path, name: str, times: int) -> None:
    path = raw_folder / "user_features_pure.csv"
    header, _, rows = path.read_text().partition("\n")
    for other in ("is_lowactive_period", "follow_user_num_range")[: times - 1]:
        header = header.replace(other, name)
    path.write_text(f"{header}\n{rows}")
    with pytest.raises(RawDataError, match=rf"csv: the header holds the column {name} {times} times; once is valid"):
        read(raw_folder)


def test_damage_of_a_column_that_is_not_read_does_not_matter(raw_folder: Path) -> None:
    path = raw_folder / "user_features_pure.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"(0,10]", b"\xe9"))
    assert read(raw_folder).users["user_id"].to_pylist() == [1, 2]


def _cut(path: Path) -> None:
    content = gzip.compress(path.read_bytes(), mtime=0)
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (LATER_LOG, lambda path: path.write_text("")),
        (LATER_LOG, lambda path: path.write_text("\n" + path.read_text())),
        (LATER_LOG, lambda path: path.write_text(path.read_text() + "1,2,3\n")),
        (LATER_LOG, lambda path: path.write_bytes(path.read_bytes().replace(b"hourmin", b"hour\xe9"))),
        ("user_features_pure.csv.gz", lambda path: path.write_bytes(b"not a gzip file")),
        ("user_features_pure.csv.gz", lambda path: path.write_bytes(b"")),
        ("user_features_pure.csv.gz", lambda path: path.write_bytes(gzip.compress(b""))),
        ("user_features_pure.csv.gz", _cut),
    ],
    ids=["empty", "no header", "ragged", "Latin-1", "not gzip", "empty gzip", "gzip of nothing", "cut gzip"],
)
def test_unreadable_file(raw_folder: Path, file: str, damage: Callable[[Path], object]) -> None:
    path = raw_folder / file
    path.with_name(path.name.removesuffix(".gz")).rename(path)
    damage(path)
    with pytest.raises(RawDataError, match=rf"{file}: cannot be read as CSV: \w+") as caught:
        read(raw_folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["log_standard_*", LATER_LOG])
def test_log_without_impressions(raw_folder: Path, pattern: str) -> None:
    paths = sorted(raw_folder.glob(pattern))
    for path in paths:
        path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(RawDataError, match=rf"{paths[0].name}: the log holds no impression"):
        read(raw_folder)


def test_rows_of_a_table_by_key() -> None:
    table = pa.table({"id": [2, 5, 9], "name": ["b", "e", "i"]})
    assert rows_of(table, "id", np.array([9, 1, 2, 7, 10]))["name"].to_pylist() == ["i", None, "b", None, None]
    assert rows_of(table.slice(0, 0), "id", np.array([2]))["name"].to_pylist() == [None]
