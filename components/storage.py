"""Where a path or URI lives, for reading it without TFX or TensorFlow."""

from pathlib import Path

from pyarrow import fs


def filesystem_of(location: str | Path) -> tuple[fs.FileSystem, str]:
    """The file system of a local path or a URI (`file:`, `gs:`, `s3:`, `hdfs:`), and the path inside it.

    Raises:
        pyarrow.ArrowInvalid: a scheme that pyarrow does not know.
    """
    if "://" in str(location):
        return fs.FileSystem.from_uri(str(location))
    return fs.LocalFileSystem(), str(Path(location).absolute())
