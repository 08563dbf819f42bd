"""Names that no column and no objective may have, whatever their spelling and kind."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest
import tensorflow_model_analysis as tfma
from pydantic import ValidationError

from pipeline_config import CONFIGS
from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Exposure, Features, Keys, MultiValued
from ranker.config.names import MAX_LENGTH, RAW_RECORD, RESERVED, check_names, folded
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.export import names as signature_names

KINDS: dict[str, Callable[[str], Features]] = {
    "numeric": lambda name: Features(numeric=(name,)),
    "categorical": lambda name: Features(categorical=(Categorical(name),)),
    "multi_valued": lambda name: Features(multi_valued=(MultiValued(name),)),
    "dense": lambda name: Features(numeric=("age",), dense=(DenseEmbedding(name, size=2),)),
    "exposure": lambda name: Features(numeric=("age",), exposure=(Exposure(name, default=1.0),)),
}


def config(features: Features, *objectives: str, keys: Keys | None = None) -> PipelineConfig:
    return PipelineConfig(
        name="tiny",
        objectives=tuple(Objective(name, "passive") for name in objectives or ("click",)),
        features=features,
        schema="schemas/tiny.pbtxt",
        keys=keys or Keys(),
    )


def test_what_the_pipeline_names_is_reserved() -> None:
    tensors = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    inputs = {signature_names.ALPHA, signature_names.LAMBDA, signature_names.EXAMPLES}
    assert set(RESERVED) == tensors | inputs | {RAW_RECORD}
    assert tfma.ARROW_INPUT_COLUMN == RAW_RECORD


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_reserved_name_is_refused_for_every_kind_of_column(kind: str, name: str) -> None:
    for spelled in (name, name.upper(), name.capitalize(), name.replace("e", "é"), name.replace("_", "-")):
        with pytest.raises(
            ValidationError, match=rf"features.{kind}: {spelled!r} is reserved, because '{name}' is (an?|the) "
        ):
            KINDS[kind](spelled)


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_of_rank_weighted_are_refused_with_the_config(kind: str) -> None:
    for name in ("weight_click", "Weight_Click", "weight-click"):
        with pytest.raises(
            ValidationError,
            match=rf"config 'tiny': features.{kind}: '{name}' is reserved, because 'weight_click' is an input",
        ):
            config(KINDS[kind](name))
    assert "weight_like" in config(KINDS[kind]("weight_like")).features.names_by_field[f"features.{kind}"]


@pytest.mark.parametrize("name", sorted({*RESERVED} - {RAW_RECORD}))
def test_objectives_have_no_reserved_name_and_keys_have_another_in_examples(name: str) -> None:
    with pytest.raises(ValidationError, match=f"config 'tiny': objectives: '{name}' is reserved"):
        config(Features(numeric=("age",)), "click", name)
    keyed = config(Features(numeric=("age",)), keys=replace(Keys(), viewer=name))
    assert (keyed.keys.viewer, keyed.example_keys.viewer) == (name, "viewer_key")


@pytest.mark.parametrize("name", ["utility", "Utility"])
def test_an_objective_is_not_the_utility_and_a_feature_may_be(name: str) -> None:
    with pytest.raises(
        ValidationError, match=f"config 'tiny': objectives: '{name}' is reserved, because 'utility' is the ranking by"
    ):
        config(Features(numeric=("age",)), "click", name)
    assert config(Features(numeric=(name,))).features.names == (name,)


def test_an_objective_is_not_the_weight_of_another() -> None:
    with pytest.raises(ValidationError, match="objectives: 'weight_click' is reserved"):
        config(Features(numeric=("age",)), "click", "weight_click")


def test_the_error_lists_what_is_not_accepted() -> None:
    with pytest.raises(
        ValidationError, match=r"or keep it with column='alpha'\. Every name is accepted except, .* alpha, .* numeric"
    ):
        Features(numeric=("alpha",))


ALIKE = [
    ("Age", "age"),
    ("café", "cafe"),
    ("café", unicodedata.normalize("NFD", "café")),
    ("Größe", "GRÖSSE"),
    ("ﬁt", "fit"),
    ("ａge", "age"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_equal_but_for_case_accents_or_normalisation_are_refused(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    with pytest.raises(ValidationError, match="features: names must differ in more than case and accents"):
        Features(numeric=(one,), categorical=(Categorical(other),))
    assert config(Features(numeric=(one,)), keys=replace(Keys(), item=other)).example_keys.item == "item_key"


def test_objectives_that_differ_in_case_are_refused() -> None:
    with pytest.raises(ValidationError, match="objectives: names must differ in more than case and accents"):
        config(Features(numeric=("age",)), "like", "Like")
    with pytest.raises(ValidationError, match="objectives, features and keys: names must differ"):
        config(Features(numeric=("Click",)), "click")


def test_marks_that_spell_another_word_are_no_accents() -> None:
    check_names("features", ("か", "が", "कि", "कु"))


def test_two_columns_are_not_one_input_of_a_signature() -> None:
    with pytest.raises(ValidationError, match="'user_id' would be the signature input 'user_id', which clashes with"):
        Features(numeric=("user-id", "user_id"))


def test_two_columns_are_not_one_input_of_the_forest() -> None:
    for part in ("count", "0", "31"):
        with pytest.raises(ValidationError, match=rf"'topics.{part}' and 'topics' would both .* 'topics.{part}'"):
            Features(numeric=(f"topics.{part}",), multi_valued=(MultiValued("topics"),))
    Features(numeric=("topics.32",), multi_valued=(MultiValued("topics"),))


@pytest.mark.parametrize("name", ["a b", "a\u00a0b", "a/b", "a,b", "a=b", "a[0]", "a<b", "a\u200bb", "a\x07b", "a\nb"])
def test_characters_that_slices_files_or_xgboost_do_not_allow(name: str) -> None:
    with pytest.raises(ValidationError, match="features: names may not hold spaces, slashes, commas, equals signs"):
        Features(numeric=(name,))


def test_a_name_is_short_enough_for_a_vocabularys_file() -> None:
    Features(categorical=(Categorical("é" * (MAX_LENGTH // 2)),))
    with pytest.raises(ValidationError, match=f"features: names may hold at most {MAX_LENGTH} bytes of UTF-8"):
        Features(categorical=(Categorical("é" * (MAX_LENGTH // 2) + "x"),))


@pytest.mark.parametrize("name", ["score", "order", "größe", "年齢", "a.b", "hours-old", "7days", "_hidden", "click2"])
def test_other_names_are_accepted(name: str) -> None:
    assert name in config(Features(numeric=(name,))).features.names


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_shipped_configs_have_names_for_pods(name: str) -> None:
    assert len(CONFIGS[name].name) <= 22
