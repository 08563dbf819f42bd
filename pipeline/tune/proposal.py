"""A proposal as a diff of the config, whose new lines can be pasted into pipeline_config.py."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from pipeline.tune.space import PARTS
from ranker.config.pipeline import PipelineConfig


def config_diff(before: PipelineConfig, after: PipelineConfig) -> Iterator[str]:
    """One line per part that differs: `-` as it is, `+` as proposed. A part with defaults alone has no `-` line.

    Example:
        >>> from dataclasses import replace
        >>> from ranker.config.forest import Forest
        >>> list(config_diff(FEED, replace(FEED, forest=Forest(depth=5))))
        ['+    forest=Forest(depth=5),']
    """
    for name in PARTS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            if old != type(old)():
                yield f"-    {name}={as_code(old)},"
            yield f"+    {name}={as_code(new)},"


def as_code(part: Any) -> str:
    """A part of a config as Python, with the fields that differ from their defaults."""
    if not dataclasses.is_dataclass(part):
        return repr(part)
    fields = []
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if value != _plain(default):
            fields.append(f"{field.name}={as_code(value)}")
    return f"{type(part).__name__}({', '.join(fields)})"


def _plain(default: Any) -> Any:
    """A default as it is in an instance; pydantic's `Field` holds it as an attribute."""
    if hasattr(default, "default_factory") and default.default_factory is not None:
        return default.default_factory()
    return getattr(default, "default", default) if type(default).__name__ == "FieldInfo" else default
