"""The one form of every fingerprint that is made of texts."""

import hashlib
from collections.abc import Iterable


def short_digest(parts: Iterable[str]) -> str:
    """16 hexadecimal digits over all parts, in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
