"""Config parts as JSON, the form of component parameters."""

from typing import TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


def to_json(part: object) -> str:
    """A config or a part of one as JSON, for a component parameter."""
    return TypeAdapter(type(part)).dump_json(part).decode()


def from_json(kind: type[T], text: str) -> T:
    """The config part of type `kind` that `to_json` wrote; raises ValidationError if the text is not valid."""
    return TypeAdapter(kind).validate_json(text)
