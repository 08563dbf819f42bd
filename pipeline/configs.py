"""Loads configs of pipeline_config.py by name, for command lines."""

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
        # An invalid value raises pydantic's ValidationError, a ValueError that names the field.
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
