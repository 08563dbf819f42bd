"""A hand-made KuaiRand-Pure: three days, three users (one without features), three videos (one without features)."""

import csv
import gzip
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOG_COLUMNS = [
    "user_id",
    "video_id",
    "date",
    "hourmin",
    "time_ms",
    "is_click",
    "is_like",
    "is_follow",
    "is_comment",
    "is_forward",
    "is_hate",
    "long_view",
    "play_time_ms",
    "duration_ms",
    "profile_stay_time",
    "comment_stay_time",
    "is_profile_enter",
    "is_rand",
    "tab",
]

USERS = [
    {
        "user_id": user,
        "user_active_degree": degree,
        "is_lowactive_period": 0,
        "is_live_streamer": -124,
        "is_video_author": 1,
        "follow_user_num": 10 * user,
        "follow_user_num_range": "(0,10]",
        "fans_user_num": 3,
        "friend_user_num": 2,
        "register_days": 800,
        **{f"onehot_feat{i}": i for i in range(12)},
        **{f"onehot_feat{i}": "" if user == 2 else "1.0" for i in range(12, 18)},
    }
    for user, degree in ((2, "high_active"), (1, "full_active"))
]

VIDEOS = [
    {
        "video_id": video,
        "author_id": 70,
        "video_type": "NORMAL",
        "upload_dt": "2022-04-20",
        "upload_type": "Web",
        "visible_status": "0.0",
        "video_duration": "",
        "server_width": "720.0",
        "server_height": "1280.0",
        "music_id": 5,
        "music_type": "9.0",
        "tag": tag,
    }
    for video, tag in ((11, "3,62"), (10, "3"))
]


def impression(user: int, video: int, at: str, tab: int = 1, **outcomes: Any) -> dict[str, Any]:
    """One row of the log; `at` is local time, such as 2022-04-25 09:00."""
    moment = datetime.fromisoformat(f"{at}+08:00")
    return {
        **dict.fromkeys(LOG_COLUMNS, 0),
        "user_id": user,
        "video_id": video,
        "date": f"{moment:%Y%m%d}",
        "hourmin": f"{moment:%H}00",
        "time_ms": int(moment.astimezone(UTC).timestamp()) * 1000,
        "duration_ms": 10_000,
        "tab": tab,
        **outcomes,
    }


LOG = [
    impression(1, 10, "2022-04-25 09:00", is_click=1, long_view=1, play_time_ms=15_000),
    impression(1, 11, "2022-04-25 09:20", is_click=1, is_like=1, play_time_ms=5_000),
    impression(2, 10, "2022-04-25 09:00", tab=4),
    impression(1, 10, "2022-04-26 09:00", is_follow=1, play_time_ms=90_000),
    impression(2, 11, "2022-04-26 23:00", is_click=1),
    impression(1, 10, "2022-04-27 08:00", tab=4, is_click=1),
    impression(1, 11, "2022-04-27 08:25"),
    impression(1, 11, "2022-04-27 08:56", is_profile_enter=1, is_comment=1, is_forward=1, is_hate=1),
    impression(3, 12, "2022-04-27 12:00"),
]


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows with a header; `.gz` at the end of the name compresses."""
    rows = list(rows)
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_raw(folder: Path, log: Iterable[Mapping[str, Any]] = LOG, suffix: str = "") -> Path:
    """Writes the three official files; the log as two files, split before the 27th of April."""
    folder.mkdir(parents=True, exist_ok=True)
    log = list(log)
    earlier = [row for row in log if row["date"] < "20220427"]
    later = [row for row in log if row["date"] >= "20220427"]
    write_csv(folder / f"log_standard_4_08_to_4_26_pure.csv{suffix}", earlier)
    write_csv(folder / f"log_standard_4_27_to_5_08_pure.csv{suffix}", later)
    write_csv(folder / f"user_features_pure.csv{suffix}", USERS)
    write_csv(folder / f"video_features_basic_pure.csv{suffix}", VIDEOS)
    return folder
