"""Loads configs of pipeline_config.py by name, for command lines."""

import dataclasses
import reprlib

from pydantic import ValidationError

import pipeline.config as config_types
from pipeline.beam import beam_args
from ranker.config.pipeline import PipelineConfig


class ConfigError(LookupError):
    """There is no such config, or pipeline_config.py contains an invalid value; the message is for the user."""


def load_config(name: str) -> PipelineConfig:
    """The config with that name.

    Raises:
        ConfigError: there is none, or pipeline_config.py contains an invalid value.

    Example:
        >>> load_config("feed").name
        'feed'
    """
    try:
        import pipeline_config
    except (ArithmeticError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError) as error:
        if isinstance(error, ValidationError):
            raise ConfigError(f"pipeline_config.py: {_described(error)}") from None
        what = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ConfigError(f"pipeline_config.py: {what}{error}") from None
    configs: dict[str, PipelineConfig] = pipeline_config.CONFIGS
    if name not in configs:
        raise ConfigError(f"--config {name}: pipeline_config.py has {', '.join(sorted(configs))}")
    config = configs[name]
    try:
        beam_args(config.beam_pipeline_args)
    except ValueError as error:
        raise ConfigError(f"pipeline_config.py: config {name}: {error}") from None
    return config


def _described(error: ValidationError) -> str:
    """Each wrong value in one sentence: part and field of the config, what it accepts, and what it got."""
    part = getattr(config_types, error.title, None)
    described = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
    fields = [field.name for field in described if not field.kw_only]

    def sentence(location: tuple[int | str, ...], message: str, kind: str, value: object) -> str:
        first, *others = location or ("",)
        # Pydantic counts arguments without a name.
        field = fields[first] if isinstance(first, int) and first < len(fields) else first
        where = ".".join(str(step) for step in (error.title, field, *others) if step != "")
        if kind == "value_error":
            return f"{where}: {message.removeprefix('Value error, ')}"
        return f"{where}: {message[:1].lower()}{message[1:]}, got {reprlib.repr(value)}"

    return "; ".join(
        sentence(found["loc"], found["msg"], found["type"], found["input"]) for found in error.errors(include_url=False)
    )
