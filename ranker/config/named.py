"""Errors of a part of a config that has a name of its own say which one it is."""

import dataclasses
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError, model_validator
from pydantic_core import ArgsKwargs, InitErrorDetails


class Named:
    """A pydantic dataclass whose first field names it.

    Its name stands first in the location of an error of a field, and a field is a name there, also if its value was
    given without one.
    """

    @model_validator(mode="wrap")
    @classmethod
    def _with_name(cls, value: Any, validate: Callable[[Any], Any]) -> Any:
        try:
            return validate(value)
        except ValidationError as error:
            given = _given(cls, value)
            if not given:
                raise
            raise ValidationError.from_exception_data(
                cls.__name__,
                [
                    InitErrorDetails(
                        type=found["type"],
                        loc=_location(cls, str(next(iter(given.values()))), found["loc"]),
                        input=found["input"],
                        ctx=found.get("ctx", {}),
                    )
                    for found in error.errors(include_url=False)
                ],
            ) from None


def positional(part: type) -> list[str]:
    """The fields of a dataclass that can be given without a name, in order."""
    return [field.name for field in dataclasses.fields(part) if not field.kw_only]


def _given(part: type, value: Any) -> dict[str, Any]:
    """The name of the part, as it was given; empty if it was not."""
    first, *_ = positional(part)
    if isinstance(value, ArgsKwargs):
        named = dict(zip(positional(part), value.args, strict=False)) | (value.kwargs or {})
    else:
        named = value if isinstance(value, dict) else {}
    return {first: named[first]} if isinstance(named.get(first), str) else {}


def _location(part: type, name: str, found: tuple[int | str, ...]) -> tuple[int | str, ...]:
    if not found:
        return ()  # an error of the whole names what it is about
    field, *others = found
    names = positional(part)
    return (name, names[field] if isinstance(field, int) and field < len(names) else field, *others)
