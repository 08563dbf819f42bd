"""Loads configs of pipeline_config.py by name, for command lines."""

import ast
import dataclasses
import re
import reprlib
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import pipeline.config as config_types
from pipeline.beam import beam_args
from ranker.config.named import Named, positional
from ranker.config.pipeline import PipelineConfig

_FILE = "pipeline_config.py"

_TYPE = re.compile(r"bool|int|float|str|constrained-\w+|[a-z-]+\[.*\]")
"""One of several types of a value, as pydantic describes them in the location of an error."""


class ConfigError(LookupError):
    """There is no such config, or pipeline_config.py has a mistake; the message is for the user."""


class UnknownConfigError(ConfigError):
    """pipeline_config.py has no config of this name, but `known`."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"--config {name}: {_FILE} has {', '.join(known)}")
        self.known = tuple(known)


# What a mistake in pipeline_config.py raises.
_MISTAKES = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError),
    *(SyntaxError, TypeError, ValueError),
)


def load_config(name: str) -> PipelineConfig:
    """The config with that name, which is built now if pipeline_config.py has a function for it.

    Raises:
        ConfigError: there is none, pipeline_config.py has a mistake, or the config has another name than CONFIGS has
            for it. A function of another config is not called, so its mistakes do not matter.

    Example:
        >>> load_config("feed").name
        'feed'
    """
    configs = _configs()
    if name not in configs:
        raise UnknownConfigError(name, sorted(configs))
    found = configs[name]
    config = found if isinstance(found, PipelineConfig) else _built(name, found)
    # Models are told apart by the config's own name: under another one, a run could replace another config's model.
    if config.name != name:
        raise ConfigError(
            f"{_FILE}: config {name}: its PipelineConfig has the name {config.name!r}; CONFIGS has to have it under "
            "the same name"
        )
    try:
        beam_args(config.beam_pipeline_args)
    except ValueError as error:
        raise ConfigError(f"{_FILE}: config {name}: {error}") from None
    return config


def _configs() -> Mapping[str, Any]:
    """CONFIGS of pipeline_config.py: names, and what the user has under them."""
    try:
        import pipeline_config
    except _MISTAKES as error:
        raise ConfigError(f"{_FILE}: {_assigned(error)}{_said(error)}") from None
    if not hasattr(pipeline_config, "CONFIGS"):
        raise ConfigError(f"{_FILE}: it has no CONFIGS, the dict of names and configs")
    configs: object = pipeline_config.CONFIGS
    if not isinstance(configs, Mapping):
        raise ConfigError(f"{_FILE}: CONFIGS has to be a dict of names and configs, got {reprlib.repr(configs)}")
    if not configs:
        raise ConfigError(f"{_FILE}: CONFIGS is empty")
    if odd := [name for name in configs if not isinstance(name, str)]:
        raise ConfigError(f"{_FILE}: CONFIGS: the name of a config is a text, got {reprlib.repr(odd[0])}")
    return configs


def _built(name: str, build: Any) -> PipelineConfig:
    """What the function of a config returns."""
    if not callable(build):
        raise ConfigError(f"{_FILE}: config {name}: CONFIGS holds configs or functions, got {reprlib.repr(build)}")
    try:
        config = build()
    except _MISTAKES as error:
        raise ConfigError(f"{_FILE}: config {name}: {_said(error)}") from None
    if not isinstance(config, PipelineConfig):
        raise ConfigError(f"{_FILE}: config {name}: its function returned {reprlib.repr(config)}, which is no config")
    return config


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return described(error)
    if isinstance(error, SyntaxError):
        # A module that pipeline_config.py imports may have it.
        file = Path(error.filename or _FILE).name
        return f"{'' if file == _FILE else f'{file}: '}line {error.lineno or 1}: {error.msg}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _assigned(error: Exception) -> str:
    """The name that the statement with a wrong value would have assigned to, such as `SHOP: `; "" if there is none."""
    if not isinstance(error, ValueError):
        return ""
    steps = [step for step in traceback.extract_tb(error.__traceback__) if Path(step.filename).name == _FILE]
    if not steps or steps[0].lineno is None:
        return ""
    line = steps[0].lineno
    for statement in ast.parse(Path(steps[0].filename).read_text()).body:
        if statement.lineno <= line <= (statement.end_lineno or line) and isinstance(statement, ast.Assign):
            targets = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            return f"{targets[0]}: " if targets else ""
    return ""


def described(error: ValidationError) -> str:
    """Each wrong value in one sentence: part and field of the config, what it accepts, and what it got."""
    part = getattr(config_types, error.title, None)
    fields = positional(part) if dataclasses.is_dataclass(part) and isinstance(part, type) else []
    is_named = isinstance(part, type) and issubclass(part, Named)

    def sentence(location: tuple[int | str, ...], message: str, kind: str, value: object) -> str:
        first, *others = location or ("",)
        if is_named and others:
            where = f"{error.title} {first!r}.{'.'.join(map(str, others))}"
        else:
            # Pydantic counts arguments without a name.
            field = fields[first] if isinstance(first, int) and first < len(fields) else first
            where = ".".join(str(step) for step in (error.title, field, *others) if step != "")
        if kind == "value_error":
            return f"{where}: {message.removeprefix('Value error, ')}"
        if kind in ("missing", "missing_argument"):
            return f"{where}: it needs a value"
        return f"{where}: {message[:1].lower()}{message[1:]}, got {reprlib.repr(value)}"

    return "; ".join(sentence(wrong.location, wrong.message, wrong.kind, wrong.value) for wrong in _merged(error))


@dataclasses.dataclass(frozen=True)
class _Wrong:
    """One wrong value, with pydantic's message and kind of error."""

    location: tuple[int | str, ...]
    message: str
    kind: str
    value: object


def _merged(error: ValidationError) -> list[_Wrong]:
    """The wrong values of an error, each once.

    For a value that may have several types, pydantic has an error per type, whose location continues with its own
    description of the type. Of a list whose items are wrong, it also says that it is too short.
    """
    found = error.errors(include_url=False)
    places = [of["loc"] for of in found]
    by_value: dict[tuple[int | str, ...], list[_Wrong]] = {}
    for of in found:
        place = of["loc"]
        if of["type"] == "too_short" and any(place != other and place == other[: len(place)] for other in places):
            continue
        types = (i for i, step in enumerate(place) if i and isinstance(step, str) and _TYPE.fullmatch(step))
        value = place[: next(types, len(place))]
        by_value.setdefault(value, []).append(_Wrong(value, of["msg"], of["type"], of["input"]))
    return [_joined(errors) for errors in by_value.values()]


def _joined(errors: list[_Wrong]) -> _Wrong:
    """One error of what a value is not: `input should be a valid number or a valid string`."""
    first, *others = errors
    if not others:
        return first
    # A message of this project has the value already.
    said = [error.message.removeprefix("Value error, ").partition(", got ")[0] for error in errors]
    rest = [message[:1].lower() + message[1:] for message in dict.fromkeys(said)][1:]
    return dataclasses.replace(
        first, message=" or ".join([said[0], *(text.removeprefix("input should be ") for text in rest)]), kind=""
    )
