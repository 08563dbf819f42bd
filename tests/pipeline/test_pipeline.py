"""The DAG, and what the identity of a training covers of it."""

from dataclasses import replace
from datetime import date

import pytest
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.pipeline import Pipeline

from pipeline.pipeline import create_pipeline
from pipeline.training_plan import MODEL_MAKERS, recipe
from pipeline_config import FEED
from ranker.config.effects import EffectLevel, Effects
from ranker.identity.code import PROJECT_ROOT, import_closure


@pytest.fixture(scope="module")
def dag() -> Pipeline:
    return create_pipeline(
        FEED, feed_log="/feed_log", day=date(2026, 3, 9), pipeline_root="/artifacts", push_destination="/models"
    )


def test_effects_are_fitted_between_the_towers_and_the_evaluation_if_the_config_has_some(dag: Pipeline) -> None:
    assert "EffectsTrainer" not in {component.id for component in dag.components}
    effects = Effects((EffectLevel("viewer_id"), EffectLevel("author_id")))
    config = replace(FEED, effects=effects)
    with_effects = create_pipeline(
        config, feed_log="/feed_log", day=date(2026, 3, 9), pipeline_root="/artifacts", push_destination="/models"
    )
    ids = [component.id for component in with_effects.components]
    assert ids == [name for one in dag.components for name in _with_effects(one.id)]
    models = {
        component.id: component.inputs["model"].producer_component_id
        for component in with_effects.components
        if "model" in component.inputs
    }
    assert models == {
        "EffectsTrainer": "TowerTrainer",
        **dict.fromkeys(("Evaluator", "Pusher", "CalibrationReport"), "EffectsTrainer"),
    }
    [examples] = [component for component in with_effects.components if component.id == "FeedLogGen"]
    assert '"author_id"' in examples.exec_properties["columns"]
    assert recipe(config) != recipe(FEED)
    # Where effects are fitted is the concern of EffectsTrainer alone.
    over_beam = replace(config, effects=replace(effects, beam=True))
    assert recipe(over_beam) == recipe(config)
    other = create_pipeline(
        over_beam, feed_log="/feed_log", day=date(2026, 3, 9), pipeline_root="/artifacts", push_destination="/models"
    )
    changed = {
        one.id
        for one, same in zip(other.components, with_effects.components, strict=True)
        if one.exec_properties != same.exec_properties
    }
    assert changed == {"EffectsTrainer"}


def _with_effects(component: str) -> tuple[str, ...]:
    return (component, "EffectsTrainer") if component == "TowerTrainer" else (component,)


def shaping(dag: Pipeline, last: str) -> set[str]:
    """The ids of a component and of everything whose outputs reach it."""
    components = {component.id: component for component in dag.components}
    found, pending = set(), [last]
    while pending:
        component = pending.pop()
        if component not in found:
            found.add(component)
            pending += [channel.producer_component_id for channel in components[component].inputs.values()]
    return found


def executor_of(component: BaseComponent) -> str:
    return component.executor_spec.executor_class.__module__


def test_the_recipe_covers_every_component_whose_output_reaches_the_model(dag: Pipeline) -> None:
    """But TrainingStart, whose decision is a part of the identity by itself."""
    reaching = shaping(dag, "TowerTrainer") - {"TrainingStart"}
    assert reaching == {"FeedLogGen", "SchemaImporter", "Transform", "ForestTrainer", "LeafEncoder", "TowerTrainer"}
    executors = {executor_of(component) for component in dag.components if component.id in reaching}
    assert executors <= set(MODEL_MAKERS)


def test_the_recipe_covers_how_transform_reads_columns() -> None:
    assert PROJECT_ROOT / "ranker" / "features" / "representation.py" in import_closure(*MODEL_MAKERS)


def test_nothing_is_trained_before_the_data_is_valid_but_transform_need_not_wait(dag: Pipeline) -> None:
    waiting = {component.id: {node.id for node in component.upstream_nodes} for component in dag.components}
    assert "ExampleValidator" in waiting["ForestTrainer"]
    assert "ExampleValidator" not in waiting["Transform"]


def test_no_node_is_a_resolver(dag: Pipeline) -> None:
    """Kubeflow cannot run those."""
    assert all(isinstance(component, BaseComponent) for component in dag.components)


def test_the_recipe_does_not_cover_how_versions_are_published_and_withdrawn() -> None:
    """Otherwise a change there would make another training of every day."""
    closure = {path.relative_to(PROJECT_ROOT).as_posix() for path in import_closure(*MODEL_MAKERS)}
    assert {path for path in closure if path.startswith("ranker/registry/")} == {
        f"ranker/registry/{name}.py" for name in ("__init__", "layout", "manifest", "plan")
    }
