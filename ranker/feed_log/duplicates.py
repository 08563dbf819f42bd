"""Finds copied files: yesterday's under today's name, or a part that a retried job copied a second time.

Rows that were written again in other bytes are found when they are read, by `repeats`.
"""

from collections import defaultdict
from collections.abc import Mapping

import pyarrow.parquet as pq

from ranker.feed_log.fingerprint import file_digest
from ranker.feed_log.layout import FeedLogError, LogFile


def refuse_copies(footers: Mapping[LogFile, pq.FileMetaData]) -> None:
    """Checks that no two files hold the same bytes.

    Only files with equal sizes and equal footers are read; without copies there are none.

    Args:
        footers: the footer of every file of a window.

    Raises:
        FeedLogError: two files are copies of each other; the message names both.
    """
    alike: dict[tuple[int, ...], list[LogFile]] = defaultdict(list)
    for file, footer in footers.items():
        if footer.num_rows:
            alike[file.size, footer.num_rows, footer.num_columns, footer.serialized_size].append(file)
    for files in alike.values():
        first_with: dict[str, LogFile] = {}
        for file in files if len(files) > 1 else ():
            first = first_with.setdefault(file_digest(file), file)
            if first is not file:
                raise FeedLogError(
                    f"{file.path}: a copy of {first.path}, byte for byte; its {footers[file].num_rows} rows "
                    "would count twice"
                )
