"""The session of each held-out row, from the feed log."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as arrow

from ranker.evaluation.session_rows import Hashes, session_hashes
from ranker.feed_log.writing import day_folder
from research.quality.logged import places_in_log
from research.quality.rows import HeldOutDay


def sessions_of(log: Path, day: HeldOutDay) -> Hashes:
    """A hash of each held-out row's session, uint64 [test rows]; `NO_SESSION` for a row without a session.

    The rows of a session may be anywhere in the day's files. Another day's session never has the same hash, as another
    model ranks it.

    Args:
        log: the feed log's folder.
        day: the held-out day.

    Raises:
        ValueError: a row is not in the log, or rows of several sessions cannot be distinguished by their features.
    """
    folder, key = day_folder(log, day.day), day.config.keys.session
    ids = arrow.dataset(folder, format="parquet").to_table(columns=[key]).column(key).to_pylist()
    codes, distinct = pd.factorize(np.array(ids, dtype=object), use_na_sentinel=False)
    names = [b"" if pd.isna(one) or one == "" else f"{day.day}/{one}".encode() for one in distinct]
    sessions = session_hashes(np.array(names, dtype=object))[codes]
    places = places_in_log(log, day)
    if ambiguous := int((sessions[places.logged] != sessions).sum()):
        raise ValueError(f"{folder}: {ambiguous} of {len(ids)} rows have the features of a row of another session")
    return sessions[places.held_out]
