"""What a config accepts, its error messages, and that it survives serialisation as a component parameter."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from pipeline_config import CONFIGS
from ranker.config.columns import (
    Categorical,
    DenseEmbedding,
    Exposure,
    Features,
    HashedId,
    Keys,
    MultiValued,
    Numeric,
)
from ranker.config.documents import from_json, to_json
from ranker.config.effects import EffectLevel, Effects
from ranker.config.examination import Examination
from ranker.config.exploration import Exploration
from ranker.config.forest import Forest
from ranker.config.gates import Gate, Gates
from ranker.config.monitoring import Monitoring
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.towers import Isotonic, Towers
from ranker.config.training import Sampling, Training
from ranker.feed_log.columns import columns_of


def config(**changes: object) -> PipelineConfig:
    """A small valid config with some fields changed."""
    fields: dict[str, object] = {
        "name": "tiny",
        "objectives": (Objective("click", "passive"), Objective("reply", "active", utility_group="other")),
        "features": Features(
            numeric=("age",),
            categorical=(Categorical("device"),),
            multi_valued=(MultiValued("topics", vocabulary_size=2),),
            dense=(DenseEmbedding("text", 4),),
        ),
        "schema": "schemas/tiny.pbtxt",
        "slices": (("device",),),
    }
    return PipelineConfig(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_shipped_configs_survive_json(name: str) -> None:
    assert from_json(PipelineConfig, to_json(CONFIGS[name])) == CONFIGS[name]


def test_the_utility_group_defaults_to_the_tower() -> None:
    click, reply = config().objectives
    assert (click.group, reply.group) == ("passive", "other")


def test_a_negative_objective_is_worse_the_more_of_it_there_is() -> None:
    hide, unused, click = (Objective("o", "passive", utility_weight=weight) for weight in (-3.0, 0.0, 1.0))
    assert [o.is_negative for o in (hide, unused, click)] == [True, False, False]
    assert [o.weight_range for o in (hide, unused, click)] == [(-1e6, 0.0), (0.0, 1e6), (0.0, 1e6)]
    for wrong in (float("nan"), float("-inf"), -2e6, 2e6):
        with pytest.raises(ValidationError, match="utility_weight"):
            Objective("o", "passive", utility_weight=wrong)


def test_a_multi_valued_column_is_a_count_and_one_input_per_value() -> None:
    assert config().features.forest_names == ("age", "device", "topics.count", "topics.0", "topics.1")
    assert config().features.names == ("age", "device", "topics", "text")


def test_exposure_is_no_feature() -> None:
    features = Features(
        numeric=("age",), exposure=(Exposure("position", default=1.0), Exposure("slot", default="feed"))
    )
    assert features.names == features.forest_names == ("age",)
    assert features.exposure_names == ("position", "slot")
    assert from_json(Features, to_json(features)) == features


def test_the_default_says_whether_exposure_is_a_number_or_a_category() -> None:
    assert Exposure("position", default=1).read_as == Numeric("position")
    assert Exposure("slot", default="1", column="Slot Nr.").read_as == Categorical("slot", column="Slot Nr.")
    for wrong in (float("nan"), float("inf"), "", None):
        with pytest.raises(ValidationError, match="default"):
            Exposure("position", default=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_no_shipped_config_reads_a_position(name: str) -> None:
    features = CONFIGS[name].features
    assert not [column for column in (*features.names, *features.forest_names) if "position" in column]
    assert features.exposure_names in {("position",), ("session_position",)}


def test_an_override_replaces_the_common_gate() -> None:
    gates = Gates(objective=Gate(min_auc=0.6), overrides={"reply": Gate(min_auc=0.5)})
    assert (gates.of("click").min_auc, gates.of("reply").min_auc) == (0.6, 0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": ()}, "objectives"),
        (
            {"objectives": (Objective("click", "passive"), Objective("click", "active"))},
            r"\['click'\] occur more than once",
        ),
        ({"objectives": (Objective("age", "passive"),)}, r"objectives, features and keys: .*\['age'\]"),
        (
            {"features": Features(numeric=("age",), exposure=(Exposure("click", default=1.0),)), "slices": ()},
            r"objectives, features and keys: .*\['click'\]",
        ),
        ({"slices": (("country",),)}, r"slices: \['country'\] are not among the categorical features \['device'\]"),
        ({"slices": (("age",),)}, r"slices: \['age'\] are not among"),
        ({"gates": Gates(overrides={"buy": Gate()})}, r"gates.overrides: \['buy'\] are not among the objectives"),
        (
            {"training": Training(sampling=Sampling(negatives={"buy": 0.1}))},
            r"training.sampling.negatives: \['buy'\] are not among the objectives",
        ),
        (
            {"towers": Towers(isotonic=Isotonic(by="age"))},
            r"towers.isotonic.by: 'age' is not among the categorical features \['device'\]",
        ),
        ({"train_days": 0}, "train_days\n.*greater than 0"),
        ({"name": "My Feed"}, "name\n.*pattern"),
        ({"colour": "red"}, "colour\n.*[Uu]nexpected"),
    ],
)
def test_a_wrong_value_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**changes)


def test_the_error_of_a_wrong_choice_lists_the_choices() -> None:
    with pytest.raises(ValidationError, match=r"target\n.*'any' or 'each'"):
        Forest(target="all")  # type: ignore[arg-type]


def test_external_memory_on_a_gpu_is_refused() -> None:
    assert Forest(external_memory=True).device == "cpu"
    with pytest.raises(
        ValidationError, match=r"forest\.external_memory: it is possible with device='cpu' alone, got 'cuda'"
    ):
        Forest(device="cuda", external_memory=True)


def test_limits_come_lower_first() -> None:
    with pytest.raises(ValidationError, match="the lower limit comes first"):
        Gate(o_over_e=(1.2, 0.8))
    with pytest.raises(ValidationError, match="slice_o_over_e: the lower limit comes first"):
        Monitoring(slice_o_over_e=(1.5, 0.7))


def test_the_grid_of_the_calibration_is_checked() -> None:
    with pytest.raises(ValidationError, match=r"isotonic: low must be below high, got 2.0 and 2.0"):
        Isotonic(low=2.0, high=2.0)
    for wrong in ({"buckets": 0}, {"low": float("-inf")}, {"high": float("nan")}, {"by": ""}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            Isotonic(**wrong)  # type: ignore[arg-type]


def test_calibration_differs_by_a_feature_only_where_one_is_named() -> None:
    features = config().features
    assert Towers().calibrated_by(features) is None
    assert Towers(isotonic=Isotonic()).calibrated_by(features) is None
    assert Towers(isotonic=Isotonic(by="device")).calibrated_by(features) == Categorical("device")


def test_limits_of_monitoring_are_checked() -> None:
    for wrong in ({"false_alarm_rate": 0.0}, {"drift_factor": 0.5}, {"min_outcomes": 0}, {"drift": -1.0}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            Monitoring(**wrong)  # type: ignore[arg-type]
    assert Monitoring(slice_o_over_e=None).slice_o_over_e is None


def test_vouching_for_a_column_changes_no_model() -> None:
    features = Features(numeric=("age", "spend"), vouched=("spend",))
    assert features.vouched == ("spend",)
    assert to_json(features) == to_json(Features(numeric=("age", "spend")))
    with pytest.raises(ValueError, match=r"features.vouched: \['price'\] are not among the feature columns"):
        Features(numeric=("age",), vouched=("price",))


def test_a_column_is_a_feature_or_exposure() -> None:
    with pytest.raises(ValidationError, match=r"features: .*\['age'\] occur more than once"):
        Features(numeric=("age",), exposure=(Exposure("age", default=1.0),))


def test_examination_needs_exposure_and_random_positions() -> None:
    features = replace(config().features, exposure=(Exposure("position", default=1.0),))
    explored, by_device = Exploration(), Examination(by=("device",))
    assert config(features=features, exploration=explored, examination=by_device).examination == by_device
    for changes, message in (
        ({"exploration": explored, "examination": by_device}, "examination: it depends on exposure"),
        ({"features": features, "examination": by_device}, "examination: it is fitted on impressions at random"),
        (
            {"features": features, "exploration": explored, "examination": Examination(by=("age",))},
            r"examination.by: \['age'\] are not among the categorical features \['device'\]",
        ),
        (
            {"features": features, "exploration": explored, "examination": Examination(by=("device", "device"))},
            "examination.by: .* names a feature twice",
        ),
    ):
        with pytest.raises(ValidationError, match=message):
            config(**changes)
    for wrong in ({"pieces": 0}, {"shrinkage": 0.0}, {"by": ("",)}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            Examination(**wrong)  # type: ignore[arg-type]


def test_the_forest_needs_a_column() -> None:
    with pytest.raises(ValidationError, match="features: there are none; name at least one column"):
        Features(exposure=(Exposure("position", default=1.0),))
    with pytest.raises(ValidationError, match="at least one numeric, categorical or multi_valued"):
        config(features=Features(dense=(DenseEmbedding("text", 4),)), slices=())


def test_effects_name_id_columns_and_inputs_that_the_towers_read() -> None:
    effects = Effects(levels=(EffectLevel("viewer_id", ("text", "device")), EffectLevel("author_id")))
    assert config(effects=effects).effects == effects
    assert config(effects=effects).id_columns == ("author_id",)
    assert config().id_columns == ()
    assert from_json(PipelineConfig, to_json(config(effects=effects))) == config(effects=effects)
    explored = Features(numeric=("age",), categorical=(Categorical("device"),), exposure=(Exposure("slot", "feed"),))
    for changes, message in (
        ({"forest": Forest(trees=1)}, "forest.trees: 1 are too few for 2 objectives, which share them evenly"),
        ({"effects": Effects((EffectLevel("session_id"),))}, "is no entity that comes back"),
        ({"effects": Effects((EffectLevel("device"),))}, r"names must be unique, but \['device'\] occur"),
        ({"effects": Effects((EffectLevel("leaves"),))}, "effects.levels: 'leaves' is reserved"),
        ({"effects": Effects((EffectLevel("weight_click"),))}, "'weight_click' is reserved"),
        ({"effects": Effects((EffectLevel("viewer_id", ("age",)),))}, r"inputs: \['age'\] are not among"),
        (
            {
                "effects": Effects((EffectLevel("viewer_id", ("device",)),)),
                "towers": Towers(categorical_embedding_size=0),
            },
            r"inputs: \['device'\] are not among",
        ),
        (
            {
                "effects": Effects((EffectLevel("viewer_id"),)),
                "features": explored,
                "exploration": Exploration(),
                "examination": Examination(),
            },
            "without an examination model",
        ),
    ):
        with pytest.raises(ValidationError, match=message):
            config(**changes)
    with pytest.raises(ValidationError, match=r"effects.levels: names must be unique"):
        Effects((EffectLevel("viewer_id"), EffectLevel("viewer_id")))
    with pytest.raises(ValidationError, match=r"inputs: \['text'\] occur more than once"):
        EffectLevel("viewer_id", ("text", "text"))


def test_exploration_names_columns_of_its_own() -> None:
    assert config().exploration is None
    assert config(exploration=Exploration()).exploration == Exploration("is_randomised", "propensity")
    for wrong in ("device", "click", "session_id"):
        with pytest.raises(ValidationError, match=rf"exploration: names must be unique, but \['{wrong}'\] occur"):
            config(exploration=Exploration(randomised=wrong))
    with pytest.raises(ValidationError, match="exploration: 'leaves' is reserved"):
        config(exploration=Exploration(propensity="leaves"))
    with pytest.raises(ValidationError, match=r"names must be unique, but \['propensity'\] occur"):
        config(exploration=Exploration(randomised="propensity"))


def test_names_that_would_break_slices_and_files_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"\['a b'\]"):
        Features(numeric=("a b",))


def test_a_feature_or_objective_may_name_a_column_of_another_name() -> None:
    features = Features(
        numeric=("age", Numeric("price", column="Preis (€)"), Numeric("stock", column="stock")),
        categorical=(Categorical("カテゴリ", column="カテゴリ / 名前"),),
        dense=(DenseEmbedding("text", 4, column="text vec"),),
    )
    found = config(
        features=features,
        objectives=(Objective("click", "passive", column="Geklickt?"),),
        keys=Keys(session="Session ID", viewer="зритель"),
        slices=(("カテゴリ",),),
    )
    assert from_json(PipelineConfig, to_json(found)) == found
    assert features.numeric_names == ("age", "price", "stock")
    assert features.numeric[2] == "stock"
    assert [column.source for column in features.columns[1:]] == ["Preis (€)", "stock", "カテゴリ / 名前", "text vec"]
    assert found.example_keys == Keys(session="session_key", viewer="зритель")
    with pytest.raises(ValidationError, match=r"got \['a b'\]; name .* with column='a b'"):
        Features(numeric=("a b",))


def test_a_log_without_sessions_has_effects_and_ids_of_its_viewers() -> None:
    keys = Keys(session="user", viewer="user")
    found = config(keys=keys, effects=Effects((EffectLevel("user"), EffectLevel("item_id"))))
    assert found.example_keys.session == "user"  # which Examples and requests hold
    assert found.id_columns == ()
    assert config(keys=keys, features=Features(numeric=("age",), ids=(HashedId("user"),)), slices=()).features.ids
    for name in ("session_id", "timestamp"):
        with pytest.raises(ValidationError, match=rf"features.ids: \['{name}'\] is no entity that comes back"):
            config(features=Features(numeric=("age",), ids=(HashedId("id", column=name),)), slices=())


def test_an_effect_of_a_column_with_an_odd_name_is_named_as_an_id_of_the_features() -> None:
    with pytest.raises(
        ValidationError, match=r"got \['user id'\]; rename the column, or .* HashedId .* column='user id'"
    ):
        Effects((EffectLevel("user id"),))
    features = Features(numeric=("age",), ids=(HashedId("user", column="user id"),))
    found = config(features=features, keys=Keys(viewer="user id"), slices=(), effects=Effects((EffectLevel("user"),)))
    assert found.id_columns == ()
    read = columns_of(found.objectives, found.features, found.keys, ids=found.id_columns).columns
    assert [(column.name, column.source) for column in read if column.source == "user id"] == [
        ("viewer_key", "user id"),
        ("user", "user id"),
    ]


def test_a_key_may_be_a_feature() -> None:
    features = Features(numeric=("age",), categorical=(Categorical("item_id"), Categorical("who", column="viewer_id")))
    found = config(features=features, slices=(("item_id",),))
    assert found.keys == Keys()
    assert found.example_keys == Keys(item="item_key")
    assert Keys(session="item_key").in_examples(["item_id"]) == Keys(session="item_key", item="item_key_")
    two_inputs = config(features=features, slices=(), effects=Effects((EffectLevel("viewer_id"),)))
    assert two_inputs.example_keys.viewer == "viewer_id"
    with pytest.raises(ValidationError, match=r"effects.levels: 'item_id' is a feature too.*column='item_id'"):
        config(features=features, slices=(), effects=Effects((EffectLevel("item_id"),)))


def test_a_label_is_nothing_else() -> None:
    clicked = Objective("click", "passive", column="clicked")
    for changes, message in (
        (
            {"features": Features(numeric=(Numeric("x", column="clicked"),)), "slices": ()},
            "objectives, features: .*'cli",
        ),
        ({"keys": Keys(item="clicked")}, "objectives, keys: .*'clicked'"),
        ({"objectives": (clicked, Objective("like", "active", column="clicked"))}, "objectives: column: .*'clicked'"),
        ({"keys": Keys(item="viewer_id")}, r"keys: names must be unique, but \['viewer_id'\]"),
    ):
        with pytest.raises(ValidationError, match=message):
            config(**{"objectives": (clicked,), **changes})
    with pytest.raises(ValidationError, match=r"features.exposure: \['Pos.'\] are read as features too"):
        Features(numeric=(Numeric("place", column="Pos."),), exposure=(Exposure("position", 1.0, column="Pos."),))


def test_without_trees_nothing_may_come_from_the_forest_and_the_towers_need_inputs() -> None:
    alone, untaught = Towers(forest_share=0.0), Training(distillation=0.0)
    assert config(forest=Forest(trees=0), towers=alone, training=untaught).forest.trees == 0
    for changes in ({"training": untaught}, {"towers": alone}):
        with pytest.raises(ValidationError, match=r"with forest.trees 0 there is no forest; set it to 0"):
            config(forest=Forest(trees=0), **changes)
    nothing = replace(alone, numeric_input=False, categorical_embedding_size=0)
    features = Features(numeric=("age",), categorical=(Categorical("device"),), ids=(HashedId("viewer_id"),))
    with pytest.raises(ValidationError, match=r"the towers need numeric, categorical or dense features"):
        config(forest=Forest(trees=0), towers=nothing, training=untaught, features=features)
    embeddings = Features(dense=(DenseEmbedding("photo", 4),))
    assert config(forest=Forest(trees=0), towers=alone, training=untaught, features=embeddings, slices=())


def test_ids_may_be_keys_and_share_their_columns_with_effects() -> None:
    ids = (HashedId("viewer_id"), HashedId("author"), HashedId("creator", column="Creator (name)"))
    features = Features(numeric=("age",), categorical=(Categorical("device"),), ids=ids)
    both = config(features=features, effects=Effects((EffectLevel("viewer_id"), EffectLevel("author"))))
    assert both.example_keys == both.keys
    assert both.id_columns == ()
    assert features.names == ("age", "device", "viewer_id", "author", "creator")
    assert features.forest_names == ("age", "device")
    with pytest.raises(ValidationError, match=r"'viewer_id'.* occur more than once"):
        config(features=features, objectives=(Objective("viewer_id", "passive"),))
    renamed = config(features=replace(features, ids=(HashedId("viewer", column="viewer_id"),)))
    assert renamed.example_keys == renamed.keys


@pytest.mark.parametrize("ids", [(HashedId("device"),), (HashedId("author"), HashedId("Author"))])
def test_ids_with_the_name_of_another_column_are_refused(ids: tuple[HashedId, ...]) -> None:
    with pytest.raises(ValidationError, match="names must"):
        Features(numeric=("age",), categorical=(Categorical("device"),), ids=ids)


def test_json_is_validated_when_read() -> None:
    with pytest.raises(ValidationError, match="depth"):
        from_json(Forest, to_json(Forest(depth=5)).replace('"depth":5', '"depth":0'))


def test_a_superset_forest_has_no_share_in_the_predictions() -> None:
    superset, alone = Forest(target="any"), Towers(forest_share=0.0)
    with pytest.raises(ValidationError, match=r"towers.forest_share: 0.15 .* set it to 0"):
        config(forest=superset)
    with pytest.raises(ValidationError, match=r"training.distillation: 0.7 .* set it to 0"):
        config(forest=superset, towers=alone)
    assert config(forest=superset, towers=alone, training=Training(distillation=0.0)).forest.target == "any"


def test_a_shift_cannot_correct_for_dropped_impressions() -> None:
    with pytest.raises(ValidationError, match=r"sampling.correction: shift is not exact .* \(0.5 of them are kept\)"):
        Sampling(impressions=0.5, correction="shift")
