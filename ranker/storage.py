"""Where a path or URI lives, for reading and copying it without TFX or TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pyarrow import fs


def filesystem_of(location: str | Path) -> tuple[fs.FileSystem, str]:
    """The file system of a local path or a URI (`file:`, `gs:`, `s3:`, `hdfs:`), and the path inside it.

    Raises:
        pyarrow.ArrowInvalid: a scheme that pyarrow does not know.
    """
    if "://" in str(location):
        return fs.FileSystem.from_uri(str(location))
    return fs.LocalFileSystem(), str(Path(location).absolute())


def exists(location: str | Path) -> bool:
    """Whether there is a file or folder."""
    filesystem, path = filesystem_of(location)
    return filesystem.get_file_info(path).type != fs.FileType.NotFound


def copy_folder(
    source: str | Path,
    target: str | Path,
    last: str = "",
    instead: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Copies all files below a folder; what stands at the target already stays, unless it has the same name.

    Args:
        source: path or URI of the folder.
        target: path or URI of the folder to write; made where it does not exist.
        last: a file, relative to the folder, that is copied when all others are there.
        instead: files, relative to the folder, that get another content than they have.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    files, root = filesystem_of(source)
    target_files, target_root = filesystem_of(target)
    target_files.create_dir(target_root, recursive=True)
    found = files.get_file_info(fs.FileSelector(root, recursive=True))
    # Paths come back with the root in front, but not always spelt as it was asked for.
    root_parts = len(Path(root.strip("/")).parts)
    names = ["/".join(Path(info.path.strip("/")).parts[root_parts:]) for info in found if info.type == fs.FileType.File]
    for name in sorted(names, key=lambda name: (name == last, name)):
        target_files.create_dir(f"{target_root}/{name}".rpartition("/")[0], recursive=True)
        if name in instead:
            with target_files.open_output_stream(f"{target_root}/{name}") as file:
                file.write(instead[name])
        else:
            fs.copy_files(
                f"{root}/{name}",
                f"{target_root}/{name}",
                source_filesystem=files,
                destination_filesystem=target_files,
            )
