"""The variants of the config are those of the studies."""

from dataclasses import replace

import pytest

from pipeline_config import FEED, KUAIRAND
from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from research.ranking.names import BASE, CHOICES, FADING, FORESTS, LOSSES, SESSIONS
from research.ranking.variants import changed, ranking_of


@pytest.mark.parametrize(("config", "data"), [(FEED, "feed"), (KUAIRAND, "kuairand")])
def test_every_choice_changes_the_config(config: PipelineConfig, data: str) -> None:
    found = [changed(config, name, data) for name in (BASE, *CHOICES, *FORESTS, *FADING)]
    assert found[0] == config
    assert len({to_json(one) for one in found}) == 1 + len(CHOICES) + len(FORESTS) + len(FADING)


def test_distillation_fades_with_fewer_positives() -> None:
    halves = [changed(FEED, name, "feed").training.distillation_half_positives for name in FADING]
    assert halves == [500, 125]
    same = replace(FEED, training=replace(FEED.training, distillation_half_positives=None))
    with pytest.raises(ValueError, match="distillation_half_positives: None does not fade"):
        changed(same, next(iter(FADING)), "feed")


def test_every_loss_has_its_own_ranking() -> None:
    found = [ranking_of(name, FEED) for name in LOSSES]
    assert found[0].loss is None
    assert LOSSES[0] == SESSIONS
    assert all(ranking.loss is not None and ranking.weight > 0 for ranking in found[1:])
    assert {ranking.weight for ranking in found if ranking.paired} == {0.1, 1.0}
