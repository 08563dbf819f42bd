"""Every number of a config is finite and has bounds, with an error that names them."""

import dataclasses
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ranker.config.columns import (
    Categorical,
    DenseEmbedding,
    EmbeddingHistory,
    Exposure,
    Features,
    HashedId,
    History,
    MultiValued,
)
from ranker.config.documents import from_json, to_json
from ranker.config.effects import EffectLevel, Effects
from ranker.config.forest import Forest
from ranker.config.gates import Gate, Gates
from ranker.config.kubeflow import Notification, Resources, Secret, Volume
from ranker.config.monitoring import Monitoring
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.retraining import Retraining
from ranker.config.towers import Towers
from ranker.config.tradeoff import Guardrail, TradeOff
from ranker.config.training import Sampling, Training
from ranker.config.utility import Utility

INF, NAN = float("inf"), float("nan")
VALID: dict[type[Any], dict[str, Any]] = {
    Exposure: {"name": "position", "default": 1.0},
    Objective: {"name": "click", "tower": "passive"},
    Categorical: {"name": "device"},
    MultiValued: {"name": "topics"},
    DenseEmbedding: {"name": "text", "size": 2},
    History: {"name": "authors", "of": "author_id", "actions": ("click",)},
    EmbeddingHistory: {"name": "contents", "of": "text", "actions": ("click",), "size": 2},
    HashedId: {"name": "viewer_id"},
    EffectLevel: {"column": "viewer_id"},
    Effects: {"levels": (EffectLevel("viewer_id"),)},
    Guardrail: {"objective": "click", "min_change": -0.01},
    TradeOff: {"maximize": {"click": 1.0}},
    PipelineConfig: {
        "name": "tiny",
        "objectives": (Objective("click", "passive"),),
        "features": Features(numeric=("age",), categorical=(Categorical("device"), Categorical("country"))),
        "schema": "schemas/tiny.pbtxt",
    },
}


def config(**changes: Any) -> PipelineConfig:
    return PipelineConfig(**{**VALID[PipelineConfig], **changes})


def numbers_of(annotation: Any) -> Iterator[tuple[type, bool]]:
    """The number types in an annotation, and whether they are elements of a tuple."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (int, float):
        yield annotation, False
    elif origin is typing.Annotated:
        yield from numbers_of(arguments[0])
    elif origin in (typing.Union, types.UnionType):
        for argument in arguments:
            yield from numbers_of(argument)
    elif origin is tuple and arguments[0] is not Ellipsis:
        yield from ((number, True) for number, _ in numbers_of(arguments[0]))


def parts_of(annotation: Any) -> Iterator[type[Any]]:
    """The config parts in an annotation, and those in their fields."""
    for argument in typing.get_args(annotation):
        yield from parts_of(argument)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        yield annotation
        for hint in typing.get_type_hints(annotation, include_extras=True).values():
            yield from parts_of(hint)


def number_fields() -> Iterator[tuple[type[Any], str, type, bool]]:
    for part in dict.fromkeys(parts_of(PipelineConfig)):
        hints = typing.get_type_hints(part, include_extras=True)
        for field in dataclasses.fields(part):
            for number, in_tuple in numbers_of(hints[field.name]):
                yield part, field.name, number, in_tuple


def test_a_list_and_a_set_within_a_tuple() -> None:
    features = Features(numeric=["b", "a"], categorical=[Categorical("device")])  # type: ignore[arg-type]
    assert features.numeric == ("b", "a")
    with pytest.raises(ValidationError, match="got a set"):
        config(slices=({"device", "country"},))


def test_the_fields_are_found() -> None:
    found = {(part.__name__, name) for part, name, _, _ in number_fields()}
    assert len(found) > 70
    assert {part for part, _ in found} >= {"Objective", "Exposure", "Dask", "Isotonic", "Sampling", "Gate", "Resources"}
    assert {("Training", "learning_rate"), ("Gate", "o_over_e"), ("Towers", "hidden"), ("Isotonic", "low")} <= found


@pytest.mark.parametrize(
    ("part", "field", "number", "in_tuple"), [pytest.param(*f, id=f"{f[0].__name__}.{f[1]}") for f in number_fields()]
)
def test_no_number_is_infinite_or_absurd(part: type[Any], field: str, number: type, in_tuple: bool) -> None:
    absurd = [10**30, -(10**30)] if number is int else [INF, -INF, NAN, 1e30, -1e30]
    for value in absurd:
        given = (
            ((value, value) if field in ("o_over_e", "slice_o_over_e", "alpha", "lambda_") else (value,))
            if in_tuple
            else value
        )
        with pytest.raises(ValidationError) as raised:
            part(**{**VALID.get(part, {}), field: given})
        text = str(raised.value)
        assert text.startswith(("1 validation error for", "2 validation errors for"))
        assert part.__name__ in text.splitlines()[0]
        assert field in text.splitlines()[1]
        assert "less than" in text or "greater than" in text or "finite" in text


@pytest.mark.parametrize(
    ("part", "field", "in_tuple"),
    [pytest.param(*f[:2], f[3], id=f"{f[0].__name__}.{f[1]}") for f in number_fields() if f[0] is not Exposure],
)
def test_neither_a_text_nor_a_truth_value_is_a_number(part: type[Any], field: str, in_tuple: bool) -> None:
    pair = field in ("o_over_e", "slice_o_over_e", "alpha", "lambda_")
    for value in (True, False, "1", b"1", np.False_):
        given = ((value, value) if pair else (value,)) if in_tuple else value
        with pytest.raises(
            ValidationError, match=rf"{field}(.*\n)+.*a number is expected, got {re.escape(repr(value))}"
        ):
            part(**{**VALID.get(part, {}), field: given})


def ordered_fields() -> Iterator[tuple[type[Any], str]]:
    for part in dict.fromkeys(parts_of(PipelineConfig)):
        for name, hint in typing.get_type_hints(part).items():
            if any(typing.get_origin(one) is tuple for one in (hint, *typing.get_args(hint))):
                yield part, name


@pytest.mark.parametrize(
    ("part", "field"), [pytest.param(*f, id=f"{f[0].__name__}.{f[1]}") for f in ordered_fields() if f[1] != "where"]
)
def test_a_set_is_no_list(part: type[Any], field: str) -> None:
    with pytest.raises(ValidationError, match="a list or tuple is expected, got a set, which has no order"):
        part(**{**VALID.get(part, {}), field: {"a", "b"}})


@pytest.mark.parametrize(
    ("part", "field", "good", "bad", "message"),
    [
        (Training, "learning_rate", 1.0, 50, "less than or equal to 1"),
        (Forest, "learning_rate", 1.0, 1.5, "less than or equal to 1"),
        (Objective, "utility_weight", 1e6, 1e30, "less than or equal to 1000000"),
        (Utility, "lambda_", 1e6, 1e7, "less than or equal to 1000000"),
        (Retraining, "fisher_strength", 0.0, 1e9, "less than or equal to 1000000"),
        (Training, "epochs", 1000, 1001, "less than or equal to 1000"),
        (Training, "seed", 0, -1, "greater than or equal to 0"),
        (Gates, "confidence", 0.99, 1.0 - 1e-16, "less than or equal to 0.9999"),
        (Monitoring, "false_alarm_rate", 1e-6, 1e-300, "greater than or equal to 0.000001"),
        (Monitoring, "drift", 1.0, 1.5, "less than or equal to 1"),
        (Gate, "max_auc_drop", 1.0, 2.0, "less than or equal to 1"),
        (Towers, "hidden", (65_536,), (64,) * 33, "at most 32 items"),
        (Resources, "cpu_request", 0.5, INF, "finite"),
    ],
)
def test_bounds(part: type[Any], field: str, good: Any, bad: Any, message: str) -> None:
    part(**{**VALID.get(part, {}), field: good})
    with pytest.raises(ValidationError, match=f"(?s){part.__name__}\n(click.)?{field}.*{message}"):
        part(**{**VALID.get(part, {}), field: bad})


def test_numbers_of_a_json_are_bounded_as_well() -> None:
    text = to_json(Training()).replace('"learning_rate":0.002', '"learning_rate":1e999')
    assert text != to_json(Training())
    with pytest.raises(ValidationError, match="learning_rate"):
        from_json(Training, text)


def test_a_kept_negative_has_no_absurd_weight() -> None:
    with pytest.raises(
        ValidationError, match=r"sampling.impressions: keeping 1e-09 .* weight of 1e\+09; .* at least 0.0001"
    ):
        Sampling(impressions=1e-9)
    with pytest.raises(ValidationError, match=r"sampling.negatives\['like'\]: keeping 1e-30"):
        Sampling(negatives={"like": 1e-30})
    for share in (0.0, -1.0, 1.1, INF, NAN):
        with pytest.raises(ValidationError, match="negatives"):
            Sampling(negatives={"like": share})
    assert Sampling(impressions=1e-4).is_on


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (((),), "slices: an entry is empty; each names one or more categorical features"),
        ((("device",), ()), "slices: an entry is empty"),
        ((("device",), ("device",)), r"slices: \('device',\) occurs twice"),
        ((("device", "country"), ("country", "device")), r"slices: \('country', 'device'\) occurs twice"),
        ((("device", "device"),), r"slices: \('device', 'device'\) names a column twice"),
    ],
)
def test_empty_and_repeated_slices_are_refused(slices: tuple[tuple[str, ...], ...], message: str) -> None:
    with pytest.raises(ValidationError, match=f"config 'tiny': {message}"):
        config(slices=slices)
    assert config(slices=(("device",), ("country",), ("device", "country"))).slices


def test_a_warm_start_sees_no_more_days_than_the_window_holds() -> None:
    with pytest.raises(
        ValidationError,
        match=r"config 'tiny': retraining.most_unseen_days: 4 is more than train_days; set it to 3 or less",
    ):
        config(train_days=3, retraining=Retraining(most_unseen_days=4))
    assert config(train_days=3, retraining=Retraining(most_unseen_days=3))
    assert config(train_days=3, retraining=Retraining(start="cold", most_unseen_days=4))


def test_names_fit_into_those_of_pods() -> None:
    assert config(name="a" * 22).name
    with pytest.raises(ValidationError, match=r"name\n.*at most 22 characters"):
        config(name="a" * 23)
    long = "a" * 64
    with pytest.raises(ValidationError, match=r"claim\n.*at most 63 characters"):
        Volume(claim=long, path="/x")
    with pytest.raises(ValidationError, match=r"secret\n.*at most 63 characters"):
        Notification(secret=long)
    with pytest.raises(ValidationError, match=f"secret {long}: .* at most 63 characters"):
        Secret(long, path="/x")
    assert Secret(long, env={"A": "a"}).name == long


def test_a_schema_has_a_name() -> None:
    with pytest.raises(ValidationError, match=r"schema\n.*at least 1 character"):
        config(schema="")
