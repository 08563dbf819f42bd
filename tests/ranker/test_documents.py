"""Typed records survive JSON, also where a number is undefined or unbounded, and what is damaged is named."""

import json
import math
from dataclasses import dataclass

import pytest

from ranker.documents import (
    DocumentError,
    LowerEnd,
    Number,
    UpperEnd,
    Variance,
    check_format,
    format_of,
    read_json,
    write_json,
)

NAN, INFINITY = math.nan, math.inf


@dataclass(frozen=True)
class Measured:
    """A value with its interval, and what else may be undefined."""

    value: Number
    lower: LowerEnd
    upper: UpperEnd
    variance: Variance
    days: tuple[str, ...] = ()


@pytest.mark.parametrize(
    "document",
    [
        Measured(0.5, 0.25, 0.75, 0.01, ("monday", "<tuesday>")),
        Measured(0.5, -INFINITY, INFINITY, INFINITY),
        Measured(0.5, 0.0, INFINITY, 0.0),
        Measured(NAN, NAN, NAN, INFINITY),
    ],
)
def test_a_record_survives_json(document: Measured) -> None:
    text = write_json(document)
    json.loads(text, parse_constant=pytest.fail)  # NaN and infinity are not JSON
    read = read_json(Measured, text, "file.json")
    assert read.days == document.days
    for field in ("value", "lower", "upper", "variance"):
        assert getattr(read, field) == pytest.approx(getattr(document, field), abs=0.0, rel=0.0, nan_ok=True)


def test_a_type_may_be_given_that_the_value_itself_does_not_tell() -> None:
    by_day = {"monday": Measured(NAN, NAN, NAN, INFINITY)}
    text = write_json(by_day, dict[str, Measured], indent=1)
    assert text.startswith('{\n "monday": {\n')
    assert json.loads(text)["monday"]["value"] is None
    assert math.isnan(read_json(dict[str, Measured], text, "file.json")["monday"].value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"value": 1, "lower": 0, "upper": 2}', "variance: Field required"),
        ('{"value": "high", "lower": null, "upper": 2, "variance": 0}', "value: Input should be a valid number"),
        (
            '{"value": 1, "lower": 0, "upper": 2, "variance": 0, "days": [1]}',
            r"days\.0: Input should be a valid string",
        ),
        ('{"value": 1,', "Invalid JSON"),
        ("[]", "Input should be"),
    ],
)
def test_a_damaged_file_is_named_with_the_first_field(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=rf"^folder/file\.json: {message}"):
        read_json(Measured, text, "folder/file.json")


def test_a_format_is_checked_before_the_fields() -> None:
    check_format('{"format": 3}', 3, "file.json", "make it again")
    assert format_of('{"format": 3}', "file.json") == 3
    assert format_of("{}", "file.json") is None
    with pytest.raises(
        DocumentError, match=r"^file\.json: format: it has format 2, but .* reads format 3; make it again"
    ):
        check_format('{"format": 2}', 3, "file.json", "make it again")
    with pytest.raises(DocumentError, match=r"^file\.json: format: it has no format number"):
        check_format('{"other": 2}', 3, "file.json", "make it again")
    for text in ("nonsense", "[3]", ""):
        with pytest.raises(DocumentError, match=r"^file\.json: not "):
            check_format(text, 3, "file.json", "make it again")
