"""One shard of transformed examples in, one shard of leaf examples out."""

from collections.abc import Iterator
from dataclasses import dataclass

from ranker.ahead import one_ahead
from ranker.files import atomic_file
from ranker.forest.encode import RowEncoder, check_rows
from ranker.forest.traverse import Traversal
from ranker.storage import filesystem_of
from ranker.tfrecords import Block, read_blocks


@dataclass(frozen=True)
class Shard:
    """A file to encode, the file to write, and a folder on the same file system for temporary files."""

    source: str
    target: str
    scratch: str


def check_shard(shard: Shard, features: int) -> None:
    """Looks whether the shard's first block of rows, if it has rows, has what a forest of `features` features reads.

    Raises:
        ValueError: it has not, or the file is damaged; the message names the file.
    """
    try:
        for block in _blocks(shard.source):
            check_rows(block, features)
            break
    except (ValueError, OSError) as error:
        raise ValueError(f"leaf encoder: {shard.source}: {error}") from error


def encode_shard(shard: Shard, traversal: Traversal) -> int:
    """Encodes a shard; the target is written atomically.

    Reading, encoding and writing work on three blocks at the same time, hardly ever in the interpreter.

    Returns:
        Rows encoded.

    Raises:
        ValueError: a shard that is damaged or does not fit the forest; the message names it.
    """
    encoder = RowEncoder(traversal)
    rows = 0
    try:
        encoded = one_ahead((len(block.begin), encoder(block)) for block in one_ahead(_blocks(shard.source)))
        with (
            atomic_file(shard.target, scratch=shard.scratch, durable=False) as path,
            path.open("wb") as file,
        ):
            for count, framed in encoded:
                file.write(framed.data)
                rows += count
    except (ValueError, OSError) as error:
        raise ValueError(f"leaf encoder: {shard.source}: {error}") from error
    return rows


def _blocks(file: str) -> Iterator[Block]:
    gzipped = file.endswith(".gz")
    files, path = filesystem_of(file)
    with files.open_input_stream(path, compression="gzip" if gzipped else None) as stream:
        yield from read_blocks(stream, verify=not gzipped)
