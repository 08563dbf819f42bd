"""Where a path or URI lives, for reading and copying it without TFX or TensorFlow.

pyarrow's own file systems serve local paths, S3, Google Cloud Storage, Azure and HDFS: they need no package for each
store, and the URI's query configures them. Any other scheme goes through fsspec. Parquet is read as fast by either.
"""

import contextlib
import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, unquote

import fsspec
from pyarrow import fs

TEMPORARY = ".tmp"
"""The end of the names of files and folders that are being written."""

_WRITE_THEN_SHOW = (fs.LocalFileSystem, fs.S3FileSystem, fs.GcsFileSystem, getattr(fs, "AzureFileSystem", ()))
"""Where nothing is gained by a rename: an object shows when it is complete, and local writers rename themselves."""

_ARROW_SCHEMES = frozenset({"file", "s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"})
_LEGAL = "/!$&'()*+,;=:@~"
"""The characters of a name that a URI may have as they are, beside letters, digits, `_`, `.` and `-`."""

_BUCKET_SCHEMES = frozenset({"s3", "gs", "gcs"})
_GCS_SCHEMES = frozenset({"gs", "gcs"})
_GCS_RETRY_LIMIT_S = 30
"""pyarrow retries for 15 minutes without a word; S3 gives up after some seconds."""

_MOVED_AT_ONCE = 16

_ANSWERS = (
    (re.compile(r"NO_SUCH_BUCKET|Bucket '.*' not found|bucket does not exist"), "there is no such bucket"),
    (
        re.compile(
            r"ACCESS_DENIED|SIGNATURE_DOES_NOT_MATCH|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN_ID|EXPIRED_TOKEN|"
            r"UNRECOGNIZED_CLIENT|PERMISSION_DENIED|UNAUTHENTICATED"
        ),
        "the store refuses the credentials, or they do not permit it",
    ),
    (re.compile(r"NETWORK_CONNECTION|UNAVAILABLE"), "the store does not answer"),
)


def filesystem_of(location: str | Path) -> tuple[fs.FileSystem, str]:
    """The file system of a local path or a URI, and the path inside it.

    Args:
        location: a path, or a URI such as `gs://bucket/models`, `s3://KEY:SECRET@bucket/models?endpoint_override=…`, or
            one of any scheme that fsspec knows.

    Raises:
        ValueError: a scheme that neither pyarrow nor fsspec knows, or a URI that is not of its scheme's form.
        ImportError: a scheme whose fsspec implementation is not installed; the message says which package it needs.
    """
    text = str(location)
    scheme, separator, _ = text.partition("://")
    if not separator:
        return fs.LocalFileSystem(), str(Path(location).absolute())
    if scheme in _GCS_SCHEMES and "retry_limit_seconds=" not in text:
        text += f"{'&' if '?' in text else '?'}retry_limit_seconds={_GCS_RETRY_LIMIT_S}"
    if scheme in _ARROW_SCHEMES:
        # A space or an umlaut as it was typed; `%` stays, as it begins a character that is escaped already.
        return fs.FileSystem.from_uri(quote(text, safe=f"{_LEGAL}%?#[]"))
    remote, path = fsspec.core.url_to_fs(text)
    return fs.PyFileSystem(fs.FSSpecHandler(remote)), path


def local_path(location: str | Path) -> Path | None:
    """The path of a local file or folder, also where a `file:` URI names it; None for any other URI."""
    if "://" in str(location) and not str(location).startswith("file://"):
        return None
    return Path(filesystem_of(location)[1])


def join(location: str | Path, *parts: str) -> str:
    """A file or folder below a path or URI; the query of a URI stays at its end.

    In a URI that pyarrow reads, the characters of a name that it may not have are escaped.

    Example:
        >>> join("s3://bucket/models?region=eu-west-1", "feed", "17")
        's3://bucket/models/feed/17?region=eu-west-1'
        >>> join("s3://bucket/log", "day-2026-03-02", "part 1.parquet")
        's3://bucket/log/day-2026-03-02/part%201.parquet'
        >>> join("/models/", "feed")
        '/models/feed'
    """
    path, mark, query = _split(str(location))
    names = [quote(part, safe=_LEGAL) for part in parts] if _escapes(path) else parts
    return "/".join([path.rstrip("/"), *names]) + mark + query


def parent_and_name(location: str | Path) -> tuple[str, str]:
    """The folder that a file or folder lies in, as a path or URI, and its name; the reverse of `join`.

    Example:
        >>> parent_and_name("s3://bucket/models/17?region=eu-west-1")
        ('s3://bucket/models?region=eu-west-1', '17')
    """
    path, mark, query = _split(str(location))
    parent, _, name = path.rstrip("/").rpartition("/")
    return parent + mark + query, unquote(name) if _escapes(path) else name


def _split(location: str) -> tuple[str, str, str]:
    """The path, the question mark and the query; a local path has no query, whatever characters it has."""
    return location.partition("?") if "://" in location else (location, "", "")


def _escapes(location: str) -> bool:
    """Whether names in a path or URI are escaped; fsspec's are not."""
    scheme, separator, _ = location.partition("://")
    return bool(separator) and scheme in _ARROW_SCHEMES


def exists(location: str | Path) -> bool:
    """Whether there is a file or folder."""
    filesystem, path = filesystem_of(location)
    return filesystem.get_file_info(path).type != fs.FileType.NotFound


def read_bytes(location: str | Path) -> bytes:
    """The content of a file at a path or URI.

    Raises:
        OSError: it cannot be read; FileNotFoundError if there is none.
    """
    filesystem, path = filesystem_of(location)
    with filesystem.open_input_stream(path, compression=None) as file:
        content: bytes = file.read()
    return content


def has_bucket(location: str | Path) -> bool:
    """Whether the bucket of a URI exists; True where its store has no buckets, or does not tell.

    Raises:
        ValueError, ImportError: as `filesystem_of`.
    """
    filesystem, path = filesystem_of(location)
    if str(location).partition("://")[0] not in _BUCKET_SCHEMES:
        return True
    try:
        return filesystem.get_file_info(path.partition("/")[0]).type != fs.FileType.NotFound
    except OSError:
        # Permissions on objects do not include those on their bucket.
        return True


def store_problem(error: Exception) -> str | None:
    """What an error of an object store means, in words; None for any other error.

    Example:
        >>> store_problem(OSError("AWS Error NO_SUCH_BUCKET during PutObject operation"))
        'there is no such bucket'
    """
    return next((meaning for pattern, meaning in _ANSWERS if pattern.search(str(error))), None)


@contextmanager
def shown_when_complete(filesystem: fs.FileSystem, path: str) -> Iterator[str]:
    """A path inside the file system to write a file at, which is under `path` when the block ends.

    On HDFS, and on most stores behind fsspec, a file that is being written is visible, and what a killed writer leaves
    would be taken for the whole. There it has a hidden name until it is complete. An object of S3, Google Cloud Storage
    or Azure shows when it is complete anyway.
    """
    if isinstance(filesystem, _WRITE_THEN_SHOW):
        yield path
        return
    parent, _, name = path.rpartition("/")
    hidden = f"{parent}/{hidden_name(name)}"
    try:
        yield hidden
        _rename(filesystem, hidden, path)
    except BaseException:
        with contextlib.suppress(OSError):
            filesystem.delete_file(hidden)
        raise


def hidden_name(name: str, ending: str = TEMPORARY) -> str:
    """A new name for what becomes the file or folder `name` when it is complete; readers skip such names."""
    return f".{name}.{uuid.uuid4().hex[:16]}{ending}"


def _rename(filesystem: fs.FileSystem, source: str, target: str) -> None:
    try:
        _move(filesystem, source, target)
    except OSError:
        # Some file systems refuse a target that is there.
        if filesystem.get_file_info(target).type != fs.FileType.File:
            raise
        filesystem.delete_file(target)
        _move(filesystem, source, target)


def _move(filesystem: fs.FileSystem, source: str, target: str) -> None:
    if isinstance(filesystem, fs.PyFileSystem) and isinstance(filesystem.handler, fs.FSSpecHandler):
        # pyarrow asks for a recursive move, which not every implementation knows.
        filesystem.handler.fs.mv(source, target)
    else:
        filesystem.move(source, target)


@contextmanager
def local_copy(location: str | Path) -> Iterator[Path]:
    """A folder as a local path, for libraries that read no URIs: the folder itself, or a copy for the block's duration.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    local = local_path(location)
    if local is not None:
        yield local
        return
    with tempfile.TemporaryDirectory() as folder:
        copy_folder(location, folder)
        yield Path(folder)


def files_below(folder: str | Path) -> list[str]:
    """The files in a folder and below it, each by its path relative to the folder.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    filesystem, root = filesystem_of(folder)
    found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
    # Paths come back with the root in front, but not always spelt as it was asked for.
    root_parts = len(Path(root.strip("/")).parts)
    return ["/".join(Path(info.path.strip("/")).parts[root_parts:]) for info in found if info.type == fs.FileType.File]


def move_folder(source: str, target: str) -> None:
    """Moves all files below a folder into another one of the same store, and removes the folder.

    The store moves them by itself where it can; otherwise a file is read and written again.

    Args:
        source: path or URI of the folder.
        target: path or URI of the folder to write; made where it does not exist.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    filesystem, root = filesystem_of(source)
    _, target_root = filesystem_of(target)
    names = files_below(source)
    for folder in sorted({f"{target_root}/{name}".rpartition("/")[0] for name in names}):
        filesystem.create_dir(folder, recursive=True)

    def move(name: str) -> None:
        before, after = f"{root}/{name}", f"{target_root}/{name}"
        try:
            filesystem.move(before, after)
        except (OSError, NotImplementedError):
            # Some stores move no files, and some none of more than 5 GB.
            fs.copy_files(before, after, source_filesystem=filesystem, destination_filesystem=filesystem)
            filesystem.delete_file(before)

    with ThreadPoolExecutor(_MOVED_AT_ONCE) as pool:
        list(pool.map(move, names))
    if exists(source):
        filesystem.delete_dir(root)


def copy_folder(
    source: str | Path,
    target: str | Path,
    last: str = "",
    instead: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Copies all files below a folder. Files already at the target stay, unless they have the same name.

    Args:
        source: path or URI of the folder.
        target: path or URI of the folder to write; made where it does not exist.
        last: a file, relative to the folder, that is copied after all others, and shows when it is complete.
        instead: other content for some of the files, by their path relative to the folder.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    files, root = filesystem_of(source)
    target_files, target_root = filesystem_of(target)
    target_files.create_dir(target_root, recursive=True)
    for name in sorted(files_below(source), key=lambda name: (name == last, name)):
        target_files.create_dir(f"{target_root}/{name}".rpartition("/")[0], recursive=True)
        place = f"{target_root}/{name}"
        with shown_when_complete(target_files, place) if name == last else contextlib.nullcontext(place) as shown:
            if name in instead:
                with target_files.open_output_stream(shown) as file:
                    file.write(instead[name])
            else:
                fs.copy_files(f"{root}/{name}", shown, source_filesystem=files, destination_filesystem=target_files)
