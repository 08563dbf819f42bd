"""The number of a new version."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pyarrow import fs

from ranker.registry.layout import is_version

CLAIMS = ".claims"


def next_version(root: str, filesystem: fs.FileSystem) -> str:
    """The time in seconds since 1970, or the highest existing number plus one, whichever is larger.

    So versions only increase, even within one second or after the clock was set back.
    """
    return str(max(int(time.time()), _newest(root, filesystem) + 1))


@contextmanager
def claimed_version(root: str, filesystem: fs.FileSystem) -> Iterator[str]:
    """A number that no concurrent push uses, on a store without an atomic rename.

    A push writes a file that claims a number, and then lists the claims. It uses the number only if its own claim is
    the only one. Two pushes cannot both see only their own claim, as each writes before it lists: the later one to list
    sees both. This requires that a listing shows every file written before it, as S3, Google Cloud Storage, Azure and
    HDFS guarantee. A claim is removed when its version is complete; then the version itself shows that it is used.

    Args:
        root: the folder of versions inside the file system.
        filesystem: any file system.
    """
    token = uuid.uuid4().hex
    filesystem.create_dir(f"{root}/{CLAIMS}", recursive=True)
    version = next_version(root, filesystem)
    while True:
        claim = f"{root}/{CLAIMS}/{version}-{token}"
        with filesystem.open_output_stream(claim) as file:
            file.write(token.encode())
        try:
            claimed_by = _tokens(root, filesystem, version)
            # The claims are listed first: a version whose claim is removed in between is found here.
            if claimed_by == [token] and _newest(root, filesystem) < int(version):
                yield version
                return
        finally:
            filesystem.delete_file(claim)
        # Pushes that saw the same claims continue with different numbers.
        after = int(version) + 1 + sorted({token, *claimed_by}).index(token)
        version = str(max(after, int(next_version(root, filesystem))))


def _newest(root: str, filesystem: fs.FileSystem) -> int:
    return max((int(name) for name in _names(root, filesystem) if is_version(name)), default=0)


def _tokens(root: str, filesystem: fs.FileSystem, version: str) -> list[str]:
    claims = [name.partition("-") for name in _names(f"{root}/{CLAIMS}", filesystem)]
    return sorted(token for number, _, token in claims if number == version)


def _names(folder: str, filesystem: fs.FileSystem) -> list[str]:
    # fsspec caches listings, and another process's files are not in the cache.
    if isinstance(filesystem, fs.PyFileSystem) and isinstance(filesystem.handler, fs.FSSpecHandler):
        filesystem.handler.fs.invalidate_cache()
    return [info.base_name for info in filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))]
