"""The number of a new version."""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pyarrow import fs

from ranker.registry.layout import is_version

CLAIMS = ".claims"
_UNDER_WAY_S = 3600.0
"""How long a claim is taken for that of a push that is under way, where its push may have been killed."""

_LOG = logging.getLogger(__name__)


class SupersededError(Exception):
    """A copy of an earlier model must not be published, as another model was pushed meanwhile, or is being pushed."""


def next_version(root: str, filesystem: fs.FileSystem) -> str:
    """The time in seconds since 1970, or the highest existing number plus one, whichever is larger.

    So versions only increase, even within one second or after the clock was set back.
    """
    return str(max(int(time.time()), _newest(root, filesystem) + 1))


def following_version(root: str, filesystem: fs.FileSystem) -> str:
    """The highest existing number plus one, whatever the time is.

    No push that begins later gets a lower number, whatever its clock shows. So what is published under this number
    never replaces the model of such a push.
    """
    return str(_newest(root, filesystem) + 1)


@contextmanager
def claimed_version(root: str, filesystem: fs.FileSystem, *, alone: bool = False) -> Iterator[str]:
    """A number that no concurrent push uses, on a store without an atomic rename.

    A push writes a file that claims a number, and then lists the claims. It uses the number only if its own claim is
    the only one. Two pushes cannot both see only their own claim, as each writes before it lists: the later one to list
    sees both. This requires that a listing shows every file written before it, as S3, Google Cloud Storage, Azure and
    HDFS guarantee. A claim is removed when its version is complete; then the version itself shows that it is used.

    Args:
        root: the folder of versions inside the file system.
        filesystem: any file system.
        alone: claim the `following_version`, and only if no other push has a claim that is less than an hour old.

    Raises:
        SupersededError: another push is under way, or was killed within the last hour; with `alone` only.
    """
    token = uuid.uuid4().hex
    filesystem.create_dir(f"{root}/{CLAIMS}", recursive=True)
    version = following_version(root, filesystem) if alone else next_version(root, filesystem)
    while True:
        claim = f"{root}/{CLAIMS}/{version}-{token}"
        with filesystem.open_output_stream(claim) as file:
            file.write(token.encode())
        try:
            claimed_by = _tokens(root, filesystem, version)
            if alone:
                _refuse_others(root, filesystem, token)
            # The claims are listed first: a version whose claim is removed in between is found here.
            if claimed_by == [token] and _newest(root, filesystem) < int(version):
                yield version
                return
        finally:
            _delete(claim, filesystem)
        # Pushes that saw the same claims continue with different numbers.
        after = int(version) + 1 + sorted({token, *claimed_by}).index(token)
        version = following_version(root, filesystem) if alone else next_version(root, filesystem)
        version = str(max(after, int(version)))


def _refuse_others(root: str, filesystem: fs.FileSystem, token: str) -> None:
    under_way_since = time.time() - _UNDER_WAY_S
    for info in _infos(f"{root}/{CLAIMS}", filesystem):
        version, _, other = info.base_name.partition("-")
        # Not every store says when a file was written.
        if other != token and (info.mtime is None or info.mtime.timestamp() > under_way_since):
            raise SupersededError(
                f"version {version} is being pushed, or its push was killed less than an hour ago; run this again "
                f"later, or, if nothing is being pushed, after deleting {CLAIMS}/{info.base_name} there"
            )


def _delete(claim: str, filesystem: fs.FileSystem) -> None:
    try:
        filesystem.delete_file(claim)
    except OSError as error:
        # The version may be published already, so the push has not failed. Retention deletes the claim after a day.
        _LOG.warning("%s: the claim could not be deleted: %s", claim, error)


def _newest(root: str, filesystem: fs.FileSystem) -> int:
    return max((int(name) for name in _names(root, filesystem) if is_version(name)), default=0)


def _tokens(root: str, filesystem: fs.FileSystem, version: str) -> list[str]:
    claims = [name.partition("-") for name in _names(f"{root}/{CLAIMS}", filesystem)]
    return sorted(token for number, _, token in claims if number == version)


def _names(folder: str, filesystem: fs.FileSystem) -> list[str]:
    return [info.base_name for info in _infos(folder, filesystem)]


def _infos(folder: str, filesystem: fs.FileSystem) -> list[fs.FileInfo]:
    # fsspec caches listings, and another process's files are not in the cache.
    if isinstance(filesystem, fs.PyFileSystem) and isinstance(filesystem.handler, fs.FSSpecHandler):
        filesystem.handler.fs.invalidate_cache()
    found: list[fs.FileInfo] = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    return found
