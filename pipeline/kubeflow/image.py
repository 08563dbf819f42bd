"""Checks which container images a pipeline may be compiled for."""

import re

_PINNED_IMAGE = re.compile(r"[\w./:-]+(@sha256:[0-9a-f]{64}|:(?!latest$)\w[\w.-]{0,127})", re.ASCII)


def check_image(image: str) -> str:
    """Returns the image if its name always refers to the same content.

    Raises:
        ValueError: the image has no tag, or the tag `latest`. Then two runs of one spec may run different code, and the
            cluster's cache, which is keyed by the name, would not notice.
    """
    if not _PINNED_IMAGE.fullmatch(image):
        raise ValueError(
            f"image: the content of {image!r} can change; use a digest (name@sha256:…), or a tag of a single build "
            "other than latest"
        )
    return image
