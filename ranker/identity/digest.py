"""The common form of all fingerprints that are computed from texts."""

import hashlib
from collections.abc import Iterable


def short_digest(parts: Iterable[str]) -> str:
    """A hash of all parts in their order, as 16 hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
