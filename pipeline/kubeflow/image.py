"""Which container images a pipeline may be compiled for."""

import re

_PINNED_IMAGE = re.compile(r"[^\s@]+(@sha256:[0-9a-f]{64}|:(?!latest$)\w[\w.-]{0,127})")


def check_image(image: str) -> str:
    """The image, if its name stays with one content.

    Raises:
        ValueError: it has no tag or `latest`, so that two runs of one spec may run different code, and the cluster's
            cache, which goes by the name, would not notice.
    """
    if not _PINNED_IMAGE.fullmatch(image):
        raise ValueError(
            f"image: {image!r} can change under its name; give a digest (name@sha256:…), or a tag of one build other "
            "than latest"
        )
    return image
