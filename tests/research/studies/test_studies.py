"""The variants of the studies."""

from dataclasses import replace

import pytest

from pipeline_config import FEED, KUAIRAND
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from research.studies.studies import STUDIES, Study, Variant, labels_alone

CONFIGS = {"feed": FEED, "kuairand": KUAIRAND}
CASES = [(study, data) for study in STUDIES.values() for data in study.data]


def told_apart_by(variant: Variant, config: PipelineConfig) -> tuple[str, float, bool]:
    return to_json(variant.change(variant.forest(config))), variant.dense_scale, variant.post_hoc


@pytest.mark.parametrize(("study", "data"), CASES, ids=lambda value: getattr(value, "name", value))
def test_no_two_variants_of_a_study_are_the_same(study: Study, data: str) -> None:
    variants = study.variants(data)
    assert study.base in {variant.name for variant in variants}
    assert len({variant.name for variant in variants}) == len(variants)
    assert len({told_apart_by(variant, CONFIGS[data]) for variant in variants}) == len(variants)


def test_finalists_are_choices_on_more_days_and_rows() -> None:
    finalists, choices = STUDIES["finalists"], STUDIES["choices"]
    assert {v.name for v in finalists.variants("feed")} < {v.name for v in choices.variants("feed")}
    assert finalists.kuairand_days > choices.kuairand_days
    assert finalists.feed_rows > choices.feed_rows


def test_a_forest_of_its_own_is_refused_where_an_isotonic_regression_follows() -> None:
    with pytest.raises(ValueError, match="both: post_hoc and forest"):
        Variant("both", post_hoc=True, forest=labels_alone)


def test_variants_of_the_forest_change_it_alone() -> None:
    variants = {variant.name: variant for variant in STUDIES["forest"].variants("feed")}
    halved = variants["half as many trees at most"].forest(FEED)
    assert halved == replace(FEED, forest=replace(FEED.forest, trees=FEED.forest.trees // 2))
    source = variants["labels alone, forest of any engagement"].forest(FEED)
    assert (source.forest.target, source.training.distillation, source.towers.forest_share) == ("any", 0.0, 0.0)
    assert source == labels_alone(source)
