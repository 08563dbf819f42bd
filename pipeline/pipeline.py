"""The DAG: one `create_pipeline` for every runner."""

from collections.abc import Sequence
from datetime import date

import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2
from tfx.components import StatisticsGen
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2

from components.calibration_report.component import CalibrationReport
from components.effects_trainer.component import EffectsTrainer
from components.evaluator.component import Evaluator
from components.example_validator.component import ExampleValidator
from components.feed_log_gen.component import FeedLogGen
from components.forest_trainer.component import ForestTrainer
from components.leaf_encoder.component import LeafEncoder
from components.pusher.component import Pusher
from components.schema_importer.component import SchemaImporter
from components.serving_model.component import ServingModel
from components.tower_trainer.component import TowerTrainer
from components.training_start.component import TrainingStart
from components.transform.component import Transform
from components.verdict.component import Verdict
from pipeline.training_plan import parts_of, recipe
from ranker.config.pipeline import PipelineConfig
from ranker.features.registry import feature_kinds
from ranker.feed_log.columns import columns_of
from ranker.identity.code import code_fingerprint
from ranker.registry.baseline import BaselineChoice
from ranker.registry.start import NO_VERSION
from ranker.training.settings import transform_config


def create_pipeline(
    config: PipelineConfig,
    *,
    feed_log: str | RuntimeParameter,
    day: date | RuntimeParameter,
    pipeline_root: str,
    push_destination: str,
    source_fingerprint: str = "",
    baseline: BaselineChoice | None = None,
    publish_withdrawn: str | RuntimeParameter = "false",
    push: str | RuntimeParameter = "true",
    replaces: str | RuntimeParameter = "",
    verdict: bool = False,
    destination_state: str = "",
    parent_version: str = "",
    effects_plan: str = "",
    metadata_connection_config: metadata_store_pb2.ConnectionConfig | None = None,
    beam_pipeline_args: Sequence[str] = (),
    enable_cache: bool = True,
) -> Pipeline:
    """The pipeline from a feed log to a pushed model.

    Args:
        config: the pipeline's config.
        feed_log: the folder of day folders.
        day: the day to evaluate on; the `train_days` before it are trained on. A runtime parameter has any form that
            `ranker.feed_log.day` reads.
        pipeline_root: folder for artifacts.
        push_destination: folder for blessed models, one numbered folder per model.
        source_fingerprint: fingerprint of the content of those days, for the cache key.
        baseline: the pushed version to compare with, if any; None chooses it at run time.
        publish_withdrawn: "true" also publishes a model that a rollback withdrew.
        push: "false" publishes nothing, blessed or not.
        replaces: the name of another config whose serving model may be replaced; "" for none.
        verdict: adds a last component that fails if `push` is "false" and the model is not blessed, for runners that
            learn no more of a run than which components failed.
        destination_state: what the push depends on at the destination, for the cache key; see
            `ranker.registry.withdrawal.destination_state`.
        parent_version: the pushed version to continue from; "none" starts cold, "" decides at run time.
        effects_plan: the pushed versions that a fit of random effects reads, an `EffectsPlan` as JSON; "" decides at
            run time.
        metadata_connection_config: the ML Metadata database, for runners that want one.
        beam_pipeline_args: passed to every Beam component.
        enable_cache: reuse what components wrote for the same inputs, parameters and code.

    Example:
        >>> pipeline = create_pipeline(
        ...     load_config("feed"),
        ...     feed_log="feed_log",
        ...     day=date(2026, 1, 10),
        ...     pipeline_root="workdir/artifacts",
        ...     push_destination="workdir/serving_model",
        ...     metadata_connection_config=sqlite_metadata_connection_config("workdir/metadata.db"),
        ...     enable_cache=False,
        ... )
        >>> LocalDagRunner().run(pipeline)
    """
    day_text = day.isoformat() if isinstance(day, date) else day
    parts = parts_of(config)
    start = TrainingStart(
        push_destination=push_destination,
        day=day_text,
        retraining=config.retraining,
        parts=parts,
        version=parent_version,
        config_name=config.name,
        push=push,
        replaces=replaces,
    )
    examples = FeedLogGen(
        feed_log=feed_log,
        eval_day=day_text,
        train_days=config.train_days,
        objectives=config.objectives,
        features=config.features,
        keys=config.keys,
        timestamps=config.timestamps,
        exploration=config.exploration,
        ids=config.id_columns,
        rows=config.rows,
        source_fingerprint=source_fingerprint,
        training_start=start.outputs["training_start"],
    )
    schema = SchemaImporter(
        schema_file=config.schema,
        columns=columns_of(
            config.objectives,
            config.features,
            config.keys,
            config.timestamps,
            config.exploration,
            config.id_columns,
            config.rows,
        ),
    )
    # FeedLogGen runs first: for a column that is missing in the log, its error names the file.
    schema.add_upstream_node(examples)
    statistics = StatisticsGen(
        examples=examples.outputs["examples"],
        stats_options=tfdv.StatsOptions(
            feature_allowlist=[
                *(name for name, kind in feature_kinds(config.features) if not kind.is_key),
                *config.features.exposure_names,
                *config.objective_names,
            ]
        ),
        # The replayed days were validated when they were new.
        exclude_splits=["replay"],
    )
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        profiles=examples.outputs["profiles"],
        max_unseen=config.validation.max_unseen,
    )
    transform = Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="ranker.features.preprocessing.preprocessing_fn",
        custom_config={
            **transform_config(config),
            "code_fingerprint": code_fingerprint("ranker.features.preprocessing"),
        },
        training_start=start.outputs["training_start"],
    )
    forest = ForestTrainer(
        transformed_examples=transform.outputs["transformed_examples"],
        config=config.forest,
        feature_names=config.features.forest_names,
        objective_names=config.objective_names,
        training_start=start.outputs["training_start"],
    )
    # Nothing is trained on data that failed validation. Transform runs beside it.
    forest.add_upstream_node(validator)
    leaves = LeafEncoder(
        transformed_examples=transform.outputs["transformed_examples"], forest=forest.outputs["forest"]
    )
    towers = TowerTrainer(
        examples=examples.outputs["examples"],
        leaf_examples=leaves.outputs["leaf_examples"],
        forest=forest.outputs["forest"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        config=config,
        eval_day=day_text,
        recipe=recipe(config),
        parts=parts,
        training_start=start.outputs["training_start"],
    )
    fitted: list[BaseComponent] = []
    model = towers.outputs["model"]
    if config.effects is not None:
        effects = EffectsTrainer(
            examples=examples.outputs["examples"],
            schema=schema.outputs["schema"],
            model=model,
            config=config,
            push_destination=push_destination,
            eval_day=day_text,
            plan=effects_plan,
        )
        fitted, model = [effects], effects.outputs["model_with_effects"]
    serving = ServingModel(
        push_destination=push_destination,
        examples=examples.outputs["examples"],
        version=(baseline.version or NO_VERSION) if baseline is not None else "",
        reason=baseline.reason if baseline is not None else "",
        day=day_text,
        recipe=recipe(config),
        training_start=start.outputs["training_start"],
    )
    evaluator = Evaluator(
        examples=examples.outputs["examples"],
        model=model,
        baseline_model=serving.outputs["model"],
        transformed_examples=transform.outputs["transformed_examples"],
        forest=forest.outputs["forest"],
        config=config,
    )
    pusher = Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=push_destination)
        ),
        keep_models=config.retention.models,
        publish_withdrawn=publish_withdrawn,
        push=push,
        replaces=replaces,
        destination_state=destination_state,
    )
    report = CalibrationReport(
        examples=examples.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        forest=forest.outputs["forest"],
        model=model,
        model_run=towers.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        pushed_model=pusher.outputs["pushed_model"],
        config=config,
    )
    judged: list[BaseComponent] = []
    if verdict:
        judged = [Verdict(evaluator.outputs["blessing"], push)]
        # The report says why.
        judged[0].add_upstream_node(report)
    return Pipeline(
        pipeline_name=local_name(config),
        pipeline_root=pipeline_root,
        components=[
            start,
            examples,
            schema,
            statistics,
            validator,
            transform,
            forest,
            leaves,
            towers,
            *fitted,
            serving,
            evaluator,
            pusher,
            report,
            *judged,
        ],
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(beam_pipeline_args),
        enable_cache=enable_cache,
    )


def local_name(config: PipelineConfig) -> str:
    """The pipeline's name in ML Metadata."""
    return f"feed-ranker-{config.name}"
