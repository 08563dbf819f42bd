"""A fingerprint of the content of some days of the feed log; it changes when any value in them changes.

It is a digest of the files' bytes. Copying the log or touching a file does not change it. Changes that sizes and
Parquet footers do not show, such as a corrected value or another order of rows, do change it.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ranker.feed_log.layout import FeedLogError, LogFile, day_files
from ranker.files import write_text
from ranker.storage import filesystem_of, parent_and_name

_MAGIC = b"PAR1"
_TAIL = 8  # bytes after a Parquet footer: its size and the magic number
_READ_BYTES = 1 << 22
_FILES_AT_ONCE = 16
_SETTLED_NS = 2 * 10**9  # a file changed less than this before it was read may change again within the same mtime


@dataclass
class KnownDigests:
    """A cache of file digests, so that a closed day is read only once.

    A digest is cached by path, size and modification time. The cache is outside the feed log, in the workdir.

    Attributes:
        file: the cache file.

    Example:
        >>> known = KnownDigests.load(Path("workdir/feed/digests.json"))
        >>> source_fingerprint("feed_log", [date(2026, 1, 5)], known)  # doctest: +SKIP
    """

    file: Path
    _entries: dict[str, tuple[int, int, str]] = field(default_factory=dict)

    @staticmethod
    def load(file: Path) -> "KnownDigests":
        """The digests in the file; none if the file is missing or not valid, in which case it is written again."""
        try:
            stored = json.loads(file.read_text())
            entries = {
                str(path): (int(size), int(mtime), str(digest)) for path, (size, mtime, digest) in stored.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            entries = {}
        return KnownDigests(file, entries)

    def find(self, path: str, size: int, mtime_ns: int) -> str | None:
        """The digest of a file with this size and modification time, or None if it was not read yet."""
        entry = self._entries.get(path)
        return entry[2] if entry is not None and entry[:2] == (size, mtime_ns) else None

    def add(self, digests: Mapping[str, tuple[int, int, str]]) -> None:
        """Adds path → (size, modification time, digest), in memory and in the file."""
        if not digests:
            return
        self._entries.update(digests)
        write_text(self.file, json.dumps(self._entries))


def source_fingerprint(root: str | Path, days: Iterable[date], known: KnownDigests | None = None) -> str:
    """A hash over the content of these days: the names and bytes of their files.

    Args:
        root: the feed log, a path or URI.
        days: the days of a window; one without a folder counts as missing.
        known: the digest cache; new and changed files are added to it. None reads every file.

    Returns:
        16 hexadecimal digits.

    Raises:
        FeedLogError: a folder contains something other than Parquet files, or a file cannot be read.
    """
    digest = hashlib.sha256()
    files: list[LogFile] = []
    for day in days:
        of_day = day_files(root, day)
        digest.update(f"{day.isoformat()}:{'missing' if of_day is None else len(of_day)}\0".encode())
        files += of_day or []
    for file, content in zip(files, _digests(files, known), strict=True):
        digest.update(f"{file.day.isoformat()}/{parent_and_name(file.path)[1]}:{content}\0".encode())
    return digest.hexdigest()[:16]


def file_digest(file: LogFile) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        FeedLogError: the file cannot be read, or does not begin and end with Parquet's magic number.
    """
    digest = hashlib.sha256()
    filesystem, path = filesystem_of(file.path)
    first, last = b"", b""
    try:
        with filesystem.open_input_stream(path, compression=None) as stream:
            while block := stream.read(_READ_BYTES):
                digest.update(block)
                first = first or block[: len(_MAGIC)]
                last = (last + block[-_TAIL:])[-_TAIL:]
    except OSError as error:
        raise FeedLogError(f"{file.path}: cannot be read: {error}") from error
    footer_size = int.from_bytes(last[:4], "little")
    if first != _MAGIC or last[4:] != _MAGIC or footer_size > file.size - _TAIL:
        raise FeedLogError(f"{file.path}: not a Parquet file, or an incomplete one")
    return digest.hexdigest()


def _digests(files: list[LogFile], known: KnownDigests | None) -> list[str]:
    found = {
        file.path: known_digest
        for file in files
        if known is not None and (known_digest := known.find(file.path, file.size, file.mtime_ns)) is not None
    }
    unread = [file for file in files if file.path not in found]
    began = time.time_ns()
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        read = dict(zip((file.path for file in unread), pool.map(file_digest, unread), strict=True))
    if known is not None:
        settled = [file for file in unread if 0 < file.mtime_ns < began - _SETTLED_NS]
        known.add({file.path: (file.size, file.mtime_ns, read[file.path]) for file in settled})
    return [found.get(file.path) or read[file.path] for file in files]
