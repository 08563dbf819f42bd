"""Finds the Parquet files that a pattern names, locally or on an object store."""

import fnmatch
import re
from dataclasses import dataclass

from pyarrow import fs

from ranker.command_line import UsageError, explained
from ranker.storage import filesystem_of, join, parent_and_name, store_problem

_WILDCARD = re.compile(r"[*?\[]")
_SUFFIX = ".parquet"


@dataclass(frozen=True)
class InputFile:
    """A file to score.

    Attributes:
        path: path or URI.
        name: the path below the pattern's fixed part, which the file of its scores has too.
    """

    path: str
    name: str


def input_files(pattern: str) -> list[InputFile]:
    """The Parquet files that a pattern names, sorted by name.

    Args:
        pattern: a path or URI; `*`, `?` and `[…]` stand for characters other than `/`, `**` for any folders. A folder
            stands for all Parquet files in it and below it. In a URI, `?` begins the query.

    Names that begin with `.` or `_` or end in `.tmp` are being written, and are skipped unless the pattern spells them
    out.

    Raises:
        UsageError: no file matches, or a file that matches is not called `….parquet`.

    Example:
        >>> [file.name for file in input_files("feed_log/day-*/*.parquet")]  # doctest: +SKIP
        ['day-2026-01-05/part-0.parquet', 'day-2026-01-06/part-0.parquet']
    """
    path, mark, query = pattern.partition("?") if "://" in pattern else (pattern, "", "")
    scheme, separator, rest = path.partition("://") if "://" in path else ("", "", path)
    parts = rest.split("/")
    fixed = next((i for i, part in enumerate(parts) if _WILDCARD.search(part)), len(parts))
    root, wanted = scheme + separator + "/".join(parts[:fixed]), parts[fixed:]
    if not root and rest.startswith("/"):
        root = "/"
    try:
        filesystem, inner = filesystem_of((root or ".") + mark + query)
        info = filesystem.get_file_info(inner)
        if not wanted and info.type == fs.FileType.File:
            return [InputFile(pattern, _parquet(parent_and_name(pattern)[1], pattern))]
        if not wanted:
            wanted = ["**", f"*{_SUFFIX}"]
        selector = fs.FileSelector(inner, allow_not_found=True, recursive=len(wanted) > 1)
        found = filesystem.get_file_info(selector) if info.type == fs.FileType.Directory else []
    except (ValueError, ImportError, OSError) as error:
        raise UsageError(f"--input {pattern}: cannot be read: {store_problem(error) or explained(error)}") from None
    depth = len([part for part in inner.split("/") if part])
    names = [
        "/".join([part for part in one.path.split("/") if part][depth:])
        for one in found
        if one.type == fs.FileType.File
    ]
    matching = sorted(name for name in names if _matches(name.split("/"), wanted))
    if not matching:
        raise UsageError(f"--input {pattern}: no file matches")
    return [InputFile(join(root + mark + query, name) if root else name, _parquet(name, pattern)) for name in matching]


def _matches(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return _matches(parts, wanted[1:]) or bool(parts and _is_complete(parts[0]) and _matches(parts[1:], wanted))
    if not parts or not fnmatch.fnmatchcase(parts[0], wanted[0]):
        return False
    return (_is_complete(parts[0]) or parts[0][:1] == wanted[0][:1]) and _matches(parts[1:], wanted[1:])


def _is_complete(name: str) -> bool:
    return not name.startswith((".", "_")) and not name.endswith(".tmp")


def _parquet(name: str, pattern: str) -> str:
    if not name.endswith(_SUFFIX):
        raise UsageError(f"--input {pattern}: {name} is not called *{_SUFFIX}")
    return name
