"""What is compared."""

import pytest

from benchmarks.studies.studies import STUDIES, Study, Variant
from pipeline.config import PipelineConfig, to_json
from pipeline_config import FEED, KUAIRAND

CONFIGS = {"feed": FEED, "kuairand": KUAIRAND}
CASES = [(study, data) for study in STUDIES.values() for data in study.data]


def told_apart_by(variant: Variant, config: PipelineConfig) -> tuple[str, float, bool]:
    return to_json(variant.change(config)), variant.dense_scale, variant.post_hoc


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
