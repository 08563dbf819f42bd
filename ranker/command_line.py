"""What all command lines share: errors in one sentence, checks of paths and numbers, and safe text on the terminal."""

import argparse
import contextlib
import math
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import IO, NoReturn

from pyarrow import fs
from rich.console import Console

from ranker import storage
from ranker.feed_log.layout import FeedLogError, parse_day
from ranker.plain_text import sentence, visible
from ranker.storage import filesystem_of, has_bucket, store_problem

_GLOB = frozenset("*?[]\\")
# What rich gives a meaning: backslashes before a bracket (of the text, or of markup behind it), brackets, and :smile:.
# rich.markup.escape leaves some backslashes and all names of emojis.
_MARKUP = re.compile(r"\\+(?=\[|\Z)|\[|:(?=\S+:)")
_NOTHING = "[none][/none]"
# A path of pathlib has lost one of the two slashes.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_MAX_PORT = 65_535
_INTERRUPTED = 130


class UsageError(ValueError):
    """The command line or a file that it names cannot be used; the message says what to do."""


def print_error(error: object) -> None:
    """Prints `error: ` and the message, as one line, to standard error; see `print_last`."""
    print_last(f"error: {sentence(explained(error))}")


def print_last(line: str) -> None:
    """Prints a line to standard error before the command ends.

    If it cannot be written, as the terminal is closed or the disk is full, it is dropped: the exit status stays the one
    of the outcome.
    """
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)


def exit_with(main: Callable[[], int | None]) -> NoReturn:
    """Ends the process with the exit status of a command line; Ctrl-C is a word in place of a traceback, and 130."""
    try:
        status = main()
    except KeyboardInterrupt:
        print_last("interrupted")
        status = _INTERRUPTED
    sys.exit(status)


def explained(error: object) -> str:
    """The message of an error; for one of the operating system the path and the reason, without numbers.

    For one of an object store, the message begins with what it means.
    """
    if isinstance(error, OSError) and (meaning := store_problem(error)):
        return f"{meaning}: {error}"
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error) or type(error).__name__
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return f"{' and '.join(names)}: {error.strerror}" if names else error.strerror


def make_console(file: IO[str] | None = None, stderr: bool = False) -> Console:
    """A console on which `:smile:` and numbers are text; markup in brackets is markup, see `in_markup`."""
    return Console(file=file, stderr=stderr, emoji=False, highlight=False)


def in_markup(text: object) -> str:
    """A text for rich markup: as it is, on one line, and not too long."""
    return _MARKUP.sub(_without_meaning, sentence(str(text)))


def _without_meaning(found: re.Match[str]) -> str:
    if found[0] == "[":
        return r"\["
    if found[0] == ":":
        return f":{_NOTHING}"
    return f"{found[0] * 2}{_NOTHING}"


def sleep_while_waiting() -> None:
    """Lets threads of OpenMP, such as XGBoost's, sleep while they wait for each other, unless the user decided it.

    By default they wait in busy loops. On a machine that does other work, a forest then took four to eight times the
    CPU time, for the same trees.

    Only for a command line, and before XGBoost is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def day(text: str) -> date:
    """A day, as the type of an option."""
    try:
        return parse_day(text)
    except FeedLogError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def local_path(text: str) -> Path:
    """A path, as the type of an option. An empty one is refused: it is an unset variable, not the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty; write . for the current folder")
    return Path(text)


def output_file(text: str) -> Path:
    """A local file to be written, as the type of an option: `writable_file` before a long run, not after it."""
    try:
        return writable_file("the file", local_path(text))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def location(text: str) -> Path | str:
    """A local path, or a URI such as `s3://bucket/folder`, as the type of an option."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        if re.match(r"(s3|gs|gcs|abfss?|hdfs):/", text):
            raise argparse.ArgumentTypeError(f"{_quoted(text)} is not a URI; two slashes follow the colon")
        return local_path(text)
    if visible(text) != text or re.search(r"\s", text) or not scheme or not rest.strip("/"):
        raise argparse.ArgumentTypeError(f"{_quoted(text)} is not a URI such as s3://bucket/folder")
    if scheme == "file":
        return storage.local_path(text) or Path(text)
    return text


def port(text: str) -> int:
    """The number of a TCP port, as the type of an option."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= _MAX_PORT and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{_quoted(text)} is not a port; ports are 1 to {_MAX_PORT}")
    return int(text)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """The type of an option for integers in a range."""

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 19 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{_quoted(text)} is not an integer from {least:,} to {most:,}")
        return int(text)

    return read


def number(least: float, most: float, *, above: bool = False) -> Callable[[str], float]:
    """The type of an option for finite numbers in a range; with `above`, the lower end is excluded."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least < value if above else least <= value) or not value <= most:
            lower = f"above {least:g}" if above else f"from {least:g}"
            raise argparse.ArgumentTypeError(f"{_quoted(text)} is not a number {lower} to {most:g}")
        return value

    return read


def readable_folder(what: str, path: Path) -> Path:
    """The path of a local folder whose names can be listed.

    Args:
        what: the option or the role of the path, for the message.
        path: the folder.

    Raises:
        UsageError: there is no such folder, or it cannot be read.
    """
    _check_name(what, path)
    try:
        if not path.is_dir():
            raise UsageError(f"{what} {path}: {_instead_of_folder(path)}")
        os.listdir(path)
    except OSError as error:
        raise UsageError(f"{what} {path}: cannot be read: {error.strerror}") from None
    return path


def readable_location(what: str, place: Path | str) -> Path | str:
    """The path or URI of a folder that can be read.

    Args:
        what: the option or the role of the folder, for the message.
        place: what `location` returned.

    Raises:
        UsageError: there is no such folder, or it cannot be read.
    """
    if isinstance(place, Path):
        return readable_folder(what, place)
    kind = _kind(what, place, "read")
    if kind is fs.FileType.NotFound:
        raise UsageError(f"{what} {place}: there is no such {'folder' if has_bucket(place) else 'bucket'}")
    if kind is not fs.FileType.Directory:
        raise UsageError(f"{what} {place}: it is a file, not a folder")
    return place


def writable_location(what: str, place: Path | str) -> Path | str:
    """The path or URI of a folder that can be written or made. Makes nothing.

    An object store tells whether it can be written only when it is; its credentials and bucket are checked.

    Raises:
        UsageError: it cannot.
    """
    if isinstance(place, Path):
        return writable_folder(what, place)
    kind = _kind(what, place, "written")
    if kind is fs.FileType.NotFound and not has_bucket(place):
        raise UsageError(f"{what} {place}: there is no such bucket")
    if kind is fs.FileType.File:
        raise UsageError(f"{what} {place}: it is a file, not a folder")
    return place


def _kind(what: str, place: str, done: str) -> fs.FileType:
    try:
        filesystem, path = filesystem_of(place)
        return filesystem.get_file_info(path).type
    except (ValueError, ImportError, OSError) as error:
        raise UsageError(f"{what} {place}: cannot be {done}: {store_problem(error) or explained(error)}") from None


def readable_file(what: str, path: Path) -> Path:
    """The path of a local file that can be read.

    Raises:
        UsageError: there is no such file, or it cannot be read.
    """
    _check_name(what, path)
    try:
        if path.is_dir():
            raise UsageError(f"{what} {path}: it is a folder, not a file")
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise UsageError(f"{what} {path}: {_missing(path, 'file')}") from None
        raise UsageError(f"{what} {path}: cannot be read: {error.strerror}") from None
    return path


def readable_text(what: str, path: Path) -> str:
    """The content of a local text file.

    Raises:
        UsageError: there is no such file, it cannot be read, or it is not UTF-8.
    """
    try:
        return readable_file(what, path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{what} {path}: it is not text in UTF-8") from None


def without_patterns(what: str, path: Path) -> Path:
    """The path of a folder whose files TFX or TensorFlow look up by patterns.

    Raises:
        UsageError: the path has a character that patterns give a meaning.
    """
    if odd := sorted(_GLOB.intersection(str(path.resolve()))):
        raise UsageError(
            f"{what} {path}: the path must not have {' '.join(odd)}, as TensorFlow looks its files up by patterns; "
            "choose another"
        )
    return path


def writable_folder(what: str, path: Path) -> Path:
    """The path of a local folder in which files can be made; if it is missing, it can be made. Makes nothing.

    Args:
        what: the option or the role of the path, for the message.
        path: the folder.

    Raises:
        UsageError: it cannot.
    """
    _check_name(what, path)
    try:
        nearest = path
        while not nearest.exists():
            if nearest.is_symlink():
                raise UsageError(f"{what} {path}: {_missing(nearest, 'folder')}")
            # A name that is too long shows only when it is looked up in a folder that exists.
            nearest = nearest.absolute().parent
        if not nearest.is_dir():
            raise UsageError(f"{what} {path}: {nearest} is a file, not a folder")
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise UsageError(f"{what} {path}: cannot be written: {error.strerror}") from None
    return path


def writable_file(what: str, path: Path) -> Path:
    """The path of a local file that can be written, whether or not it exists. Writes nothing.

    Raises:
        UsageError: it cannot.
    """
    _check_name(what, path)
    try:
        if path.is_symlink() and not path.exists():
            raise UsageError(f"{what} {path}: {_missing(path, 'file')}")
        if path.is_dir():
            raise UsageError(f"{what} {path}: it is a folder, not a file")
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{what} {path}: it is a device, not a file")
    except OSError as error:
        raise UsageError(f"{what} {path}: cannot be written: {error.strerror}") from None
    try:
        writable_folder(what, path.absolute().parent)
    except UsageError as error:
        reason = str(error).removeprefix(f"{what} {path.absolute().parent}: ")
        raise UsageError(f"{what} {path}: {reason}") from None
    return path


def _check_name(what: str, path: Path) -> None:
    text = str(path)
    if "://" in text or _URI.match(text):
        raise UsageError(f"{what} {text}: it has to be a local path, not a URI")
    if visible(text) != text or "\n" in text:
        raise UsageError(f"{what} {text!r}: the path must not have control characters or invalid Unicode")


def _missing(path: Path, kind: str) -> str:
    if path.is_symlink():
        return f"{path} is a link to {os.readlink(path)}, which does not exist"
    return f"there is no such {kind}"


def _instead_of_folder(path: Path) -> str:
    return "it is a file, not a folder" if path.exists() else _missing(path, "folder")


def _quoted(text: str) -> str:
    return repr(sentence(text, 60))
