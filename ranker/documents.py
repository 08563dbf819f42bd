"""Documents: typed records that one process writes as JSON and another reads.

A document is a frozen dataclass. NaN and infinity, which JSON does not know, are written as null. Each of the types
below says what null comes back as, so that a document that is read equals the one that was written.
"""

import functools
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError, ValidationInfo

T = TypeVar("T")


class DocumentError(ValueError):
    """A file does not hold the document that was expected; the message names the file and the field."""


def write_json(document: object, kind: Any = None, indent: int | None = None) -> str:
    """A document as JSON text.

    Args:
        document: a dataclass, or plain values that hold some.
        kind: the type to write it as, where that is not the type of the object itself, such as `dict[str, Estimate]`.
        indent: spaces per level; None writes one line.
    """
    written_as: Any = kind or type(document)
    return _adapter(written_as).dump_json(document, indent=indent).decode()


def read_json(kind: type[T], text: str, name: str) -> T:
    """The document of type `kind` that `write_json` wrote.

    Args:
        kind: the type of the document.
        text: JSON.
        name: of the file, for the message.

    Raises:
        DocumentError: the text is not JSON, or a field is missing or of another type.
    """
    read_as: Any = kind
    try:
        document: T = _adapter(read_as).validate_json(text)
    except ValidationError as error:
        raise DocumentError(f"{name}: {first_problem(error)}") from None
    return document


def format_of(text: str, name: str) -> Any:
    """The field `format` of a JSON object, or None where it has none.

    Args:
        text: JSON.
        name: of the file, for the message.

    Raises:
        DocumentError: the text is not a JSON object.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DocumentError(f"{name}: not JSON: {error}") from None
    if not isinstance(content, Mapping):
        raise DocumentError(f"{name}: not a JSON object")
    return content.get("format")


def check_format(text: str, expected: int, name: str, remedy: str) -> None:
    """Makes sure that a file has the format that this code reads, before its fields are looked at.

    Args:
        text: JSON of an object with the field `format`.
        expected: the format number.
        name: of the file, for the message.
        remedy: what to do about a file of another format.

    Raises:
        DocumentError: the text is not a JSON object, or its format is another one.
    """
    if (found := format_of(text, name)) != expected:
        older = "no format number" if found is None else f"format {found}"
        raise DocumentError(f"{name}: format: it has {older}, but this version reads format {expected}; {remedy}")


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def first_problem(error: ValidationError) -> str:
    """The first wrong field, and what is wrong with it, without pydantic's frame around them."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}" if field else first["msg"]


def _null_is(meaning: float) -> BeforeValidator:
    return BeforeValidator(lambda value: meaning if value is None else value)


def _null_end_is(unbounded: float) -> BeforeValidator:
    def restore(end: Any, info: ValidationInfo) -> Any:
        if end is not None:
            return end
        return math.nan if math.isnan(info.data.get("value", math.nan)) else unbounded

    return BeforeValidator(restore)


Number = Annotated[float, _null_is(math.nan)]
"""A number that may be undefined: null is NaN."""

Variance = Annotated[float, _null_is(math.inf)]
"""A variance, which is infinite where too little was measured: null is infinity."""

LowerEnd = Annotated[float, _null_end_is(-math.inf)]
"""The lower end of the interval of the field `value` above it: null is minus infinity, or NaN where `value` is NaN."""

UpperEnd = Annotated[float, _null_end_is(math.inf)]
"""The upper end: null is infinity, or NaN where the value is NaN."""
