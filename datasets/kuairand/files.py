"""Finds the official KuaiRand-Pure files in a folder."""

import re
from dataclasses import dataclass
from pathlib import Path

LOGS = "log_standard_*.csv"
RANDOM_LOGS = "log_random_*.csv"
USERS = "user_features_pure.csv"
VIDEOS = "video_features_basic_pure.csv"

# The logs of the two larger data sets, such as log_standard_4_08_to_4_21_27k_part1.csv.
_LARGER = re.compile(r"log_[a-z]+_\d+_\d+_to_\d+_\d+_(?P<size>1k|27k)(?![0-9a-z])")

WHERE_FROM = "the data set KuaiRand-Pure is published on Zenodo and linked from kuairand.com"


class RawDataError(ValueError):
    """Invalid raw data; the message is one line for the user."""


@dataclass(frozen=True)
class RawFiles:
    """The input files of a conversion: the logs ordered by name, the users and the videos.

    Attributes:
        logs: impressions that the app's recommender chose.
        random_logs: impressions of videos drawn at random in their place; there may be none.
        users, videos: features.
    """

    logs: tuple[Path, ...]
    random_logs: tuple[Path, ...]
    users: Path
    videos: Path


def find_raw_files(folder: Path) -> RawFiles:
    """The files of KuaiRand-Pure in `folder`, each plain or gzipped with the ending `.gz`.

    Raises:
        RawDataError: the folder or a file is missing, a file exists both plain and compressed, or a log is of
            KuaiRand-1K or KuaiRand-27K.
    """
    if not folder.is_dir():
        raise RawDataError(f"{folder}: there is no such folder; expected the files of KuaiRand-Pure ({WHERE_FROM})")
    return RawFiles(
        logs=_matching(folder, LOGS),
        random_logs=_matching(folder, RANDOM_LOGS, required=False),
        users=_matching(folder, USERS)[0],
        videos=_matching(folder, VIDEOS)[0],
    )


def _matching(folder: Path, pattern: str, required: bool = True) -> tuple[Path, ...]:
    found = tuple(sorted([*folder.glob(pattern), *folder.glob(f"{pattern}.gz")]))
    if required and not found:
        raise RawDataError(f"{folder}: no file matches {pattern} or {pattern}.gz; {WHERE_FROM}")
    for path in found:
        if path.with_name(f"{path.name}.gz") in found:
            raise RawDataError(f"{folder}: both {path.name} and {path.name}.gz exist; keep one of them")
        if match := _LARGER.match(path.name):
            raise RawDataError(
                f"{path}: a log of KuaiRand-{match['size'].upper()}, which is another data set; the folder may hold "
                "logs of KuaiRand-Pure only"
            )
    return found
