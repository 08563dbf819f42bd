"""The ranker as a library without TFX, imported by components, pipeline, serving and datasets.

Its Python API is `ranker.train` and `ranker.load`, which return a `Model`; see `docs/api.md`. They are imported
when they are first used, as TensorFlow takes seconds to import.
"""

import importlib
from typing import Any

_API = {
    "Model": "ranker.scoring.model",
    "load": "ranker.scoring.model",
    "train": "ranker.api",
    "ModelError": "ranker.scoring.description",
}

__all__ = ["Model", "ModelError", "load", "train"]


def __getattr__(name: str) -> Any:
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_API[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
