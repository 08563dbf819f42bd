"""The variants of each study."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from ranker.config.pipeline import PipelineConfig
from ranker.config.towers import Isotonic, Towers
from ranker.config.training import Sampling, Training

Change = Callable[[PipelineConfig], PipelineConfig]

LABELS_ALONE = "labels alone"
WARMUPS = (0.0, 0.05, 0.1, 0.5)
# Adagrad divides by the sum of all squared gradients, so its steps become smaller: it needs a larger rate.
_RATES = {"adam": 2e-3, "adamw": 2e-3, "adagrad": 3e-2}
_ADAMW_DECAY = 1e-2
DEFAULT_BY_ADAGRAD = "default, adagrad, warm-up 10%"
_SHARE_KEPT = 0.1
DENSE_INPUTS = ("none", "batch_norm", "projection", "batch_norm_projection")
DENSE_SCALES = (1.0, 100.0)
_NO_CROSSES = "neither embeddings nor cross layer"
_FINALISTS = (
    "default",
    "no categorical embeddings",
    "no cross layer",
    _NO_CROSSES,
    "distillation the same for all objectives",
    "twice the epochs at half the rate",
)
_KEYS = {"feed": "surface", "kuairand": "tab"}
_FEED_ROWS = 80_000


def unchanged(config: PipelineConfig) -> PipelineConfig:
    """The config as it is."""
    return config


@dataclass(frozen=True)
class Variant:
    """One choice.

    Attributes:
        name: in the tables.
        change: of the data set's config.
        dense_scale: factor of the dense embeddings, in training and prediction.
        post_hoc: whether an isotonic regression per objective, fitted on held-out viewers, follows the model.
        forest: change of the forest's config, applied before `change`.
    """

    name: str
    change: Change = field(default=unchanged)
    dense_scale: float = 1.0
    post_hoc: bool = False
    forest: Change = field(default=unchanged)

    def __post_init__(self) -> None:
        if self.post_hoc and self.forest is not unchanged:
            raise ValueError(f"{self.name}: post_hoc and forest do not go together")


@dataclass(frozen=True)
class Study:
    """Variants of one choice.

    Attributes:
        name: on the command line.
        title: of its page.
        about: description of the comparison, in a sentence or two.
        variants: name of the data set → the variants.
        base: the variant that the others are compared with.
        seeds: trainings of each variant.
        kuairand_days: number of KuaiRand's newest held-out days that are pooled.
        feed_days: the same for the built-in feed.
        feed_rows: impressions of the built-in feed, including the first held-out day's.
        data: the data sets that it is meaningful for.
        prepared_by: change of the config for preparing the rows.
    """

    name: str
    title: str
    about: str
    variants: Callable[[str], tuple[Variant, ...]]
    base: str
    seeds: int
    kuairand_days: int = 1
    feed_days: int = 1
    feed_rows: int = _FEED_ROWS
    data: tuple[str, ...] = ("kuairand", "feed")
    prepared_by: Callable[[str], Change] = field(default=lambda data: unchanged)


def labels_alone(config: PipelineConfig) -> PipelineConfig:
    """As in the source: towers that learn from labels only, and are served without the forest's prediction."""
    return _with(config, replace(config.training, distillation=0.0), replace(config.towers, forest_share=0.0))


def warmup_name(optimizer: str, warmup: float) -> str:
    """The name of a variant of the variance study."""
    return f"{optimizer}, warm-up {warmup:.0%}"


def _with(config: PipelineConfig, training: Training | None = None, towers: Towers | None = None) -> PipelineConfig:
    return replace(config, training=training or config.training, towers=towers or config.towers)


def _warming_up(warmup: float) -> Change:
    return lambda config: _with(config, replace(config.training, warmup_fraction=warmup))


def _by_adagrad(config: PipelineConfig) -> PipelineConfig:
    return _with(config, replace(config.training, optimizer="adagrad", learning_rate=_RATES["adagrad"]))


def _variance(data: str) -> tuple[Variant, ...]:
    def change(optimizer: str, warmup: float) -> Change:
        def changed(config: PipelineConfig) -> PipelineConfig:
            alone = labels_alone(config)
            training = replace(
                alone.training,
                optimizer=optimizer,  # type: ignore[arg-type]
                warmup_fraction=warmup,
                learning_rate=_RATES[optimizer],
                weight_decay=_ADAMW_DECAY if optimizer == "adamw" else 0.0,
            )
            return _with(alone, training)

        return changed

    alone = [Variant(warmup_name(*pair), change(*pair)) for pair in product(_RATES, WARMUPS)]
    taught = [Variant(f"default, warm-up {warmup:.0%}", _warming_up(warmup)) for warmup in (0.0, 0.1)]
    return (*alone, *taught, Variant(DEFAULT_BY_ADAGRAD, _by_adagrad))


def _sampling(data: str) -> tuple[Variant, ...]:
    def change(sampling: Callable[[PipelineConfig], Sampling], alone: bool) -> Change:
        def changed(config: PipelineConfig) -> PipelineConfig:
            config = labels_alone(config) if alone else config
            return _with(config, replace(config.training, sampling=sampling(config)))

        return changed

    def of_impressions(correction: str) -> Callable[[PipelineConfig], Sampling]:
        return lambda config: Sampling(impressions=_SHARE_KEPT, correction=correction)  # type: ignore[arg-type]

    def of_negatives(correction: str) -> Callable[[PipelineConfig], Sampling]:
        return lambda config: Sampling(
            negatives=dict.fromkeys(config.objective_names, _SHARE_KEPT),
            correction=correction,  # type: ignore[arg-type]
        )

    kept = f"{_SHARE_KEPT:.0%}"
    return (
        Variant("no sampling", labels_alone),
        Variant(f"{kept} of an objective's negatives, uncorrected", change(of_negatives("none"), True)),
        Variant(f"{kept} of an objective's negatives, weights", change(of_negatives("weights"), True)),
        Variant(f"{kept} of an objective's negatives, shift", change(of_negatives("shift"), True)),
        Variant(f"{kept} of unengaged impressions, uncorrected", change(of_impressions("none"), True)),
        Variant(f"{kept} of unengaged impressions, weights", change(of_impressions("weights"), True)),
        Variant("default, no sampling"),
        Variant(f"default, {kept} of unengaged impressions, weights", change(of_impressions("weights"), False)),
    )


def _isotonic(data: str) -> tuple[Variant, ...]:
    def layer(by: str | None) -> Change:
        return lambda config: _with(config, towers=replace(config.towers, isotonic=Isotonic(by=by)))

    def alone(change: Change) -> Change:
        return lambda config: change(labels_alone(config))

    key = _KEYS[data]
    layers = (("layer", layer(None)), (f"layer by {key}", layer(key)))
    return (
        Variant("none"),
        *(Variant(name, change) for name, change in layers),
        Variant("post-hoc isotonic regression", post_hoc=True),
        Variant("labels alone, none", labels_alone),
        *(Variant(f"labels alone, {name}", alone(change)) for name, change in layers),
        Variant("labels alone, post-hoc isotonic regression", labels_alone, post_hoc=True),
    )


def _keyed(data: str) -> Change:
    return lambda config: _with(config, towers=replace(config.towers, isotonic=Isotonic(by=_KEYS[data])))


def _twice_as_long(config: PipelineConfig) -> PipelineConfig:
    epochs = config.training.length(_FEED_ROWS).epochs
    return _with(config, replace(config.training, epochs=2 * epochs, learning_rate=config.training.learning_rate / 2))


def _choices(data: str) -> tuple[Variant, ...]:
    def towers(**changes: Any) -> Change:
        return lambda config: _with(config, towers=replace(config.towers, **changes))

    def training(**changes: Any) -> Change:
        return lambda config: _with(config, replace(config.training, **changes))

    return (
        Variant("default"),
        Variant("no categorical embeddings", towers(categorical_embedding_size=0)),
        Variant("no cross layer", towers(cross_rank=0)),
        Variant(_NO_CROSSES, towers(categorical_embedding_size=0, cross_rank=0)),
        Variant("no numeric features", towers(numeric_input=False)),
        Variant("one tower for all objectives", towers(shared=True)),
        Variant("no share of the forest's own prediction", towers(forest_share=0.0)),
        Variant("no distillation", training(distillation=0.0)),
        Variant("distillation the same for all objectives", training(distillation_half_positives=None)),
        Variant("neither distillation nor share", labels_alone),
        Variant("leaf embeddings of 8", towers(leaf_embedding_size=8)),
        Variant("layers of 256 and 128", towers(hidden=(256, 128))),
        Variant("dropout of 0.1", towers(dropout=0.1)),
        Variant("no dropout of leaves", towers(leaf_dropout=0.0)),
        Variant("no ensemble", towers(members=1)),
        Variant("an ensemble of 8", towers(members=8)),
        Variant("batches of 1,024", training(batch_size=1024)),
        Variant("twice the epochs at half the rate", _twice_as_long),
    )


def _forest(data: str) -> tuple[Variant, ...]:
    def forest(**changes: Any) -> Change:
        return lambda config: replace(config, forest=replace(config.forest, **changes))

    def trees_times(factor: float) -> Change:
        return lambda config: forest(trees=int(factor * config.forest.trees))(config)

    def any_engagement(config: PipelineConfig) -> PipelineConfig:
        return forest(target="any")(labels_alone(config))

    return (
        Variant("default"),
        Variant("half as many trees at most", forest=trees_times(0.5)),
        Variant("twice as many trees at most", forest=trees_times(2)),
        Variant("depth of 3", forest=forest(depth=3)),
        Variant("depth of 6", forest=forest(depth=6)),
        Variant(LABELS_ALONE, labels_alone),
        Variant(f"{LABELS_ALONE}, forest of any engagement", forest=any_engagement),
    )


def _finalists(data: str) -> tuple[Variant, ...]:
    choices = {variant.name: variant for variant in _choices(data)}
    return tuple(choices[name] for name in _FINALISTS)


def _dense(data: str) -> tuple[Variant, ...]:
    def change(dense_input: str) -> Change:
        return lambda config: _with(
            config,
            towers=replace(config.towers, dense_input=dense_input),  # type: ignore[arg-type]
        )

    return tuple(
        Variant(f"{dense_input.replace('_', ' ')}, × {scale:g}", change(dense_input), dense_scale=scale)
        for dense_input, scale in product(DENSE_INPUTS, DENSE_SCALES)
    )


STUDIES = {
    study.name: study
    for study in (
        Study(
            "variance",
            "Variance from run to run",
            "The forest is the same each time; the seed of initialisation and shuffling differs. The towers learn from "
            "the labels alone, as the source's do; the rows `default` are the default config, whose towers learn from "
            "the forest too.",
            _variance,
            warmup_name("adam", 0.1),
            seeds=10,
        ),
        Study(
            "choices",
            "What each choice of the default is worth",
            "Each variant makes one change to the default config's towers or their training, on the same forest. The "
            "more the variant's normalized entropy exceeds the default's, the more the default's choice is worth.",
            _choices,
            "default",
            seeds=4,
        ),
        Study(
            "finalists",
            "What was not significant on one day, on four days and a feed of 400,000",
            "From the study `choices`: the embeddings and the cross layer, whose effect was not significant there, and "
            "what did better than the default on its one day of KuaiRand. Days and rows are those that models are "
            "compared on.",
            _finalists,
            "default",
            seeds=5,
            kuairand_days=4,
            feed_rows=400_000,
        ),
        Study(
            "forest",
            "The forest's target and size",
            "Each variant has a forest of its own, of one seed. A forest of any engagement, as the source has it, "
            "predicts no single objective, so the towers on it can only learn from the labels. They are compared with "
            "towers that learn from the labels alone on the default's forest.",
            _forest,
            "default",
            seeds=4,
        ),
        Study(
            "sampling",
            "Sampling negatives, and O/E",
            "Which negatives are left out of the towers' training, and how the predictions are corrected for it. The "
            "towers learn from the labels alone, as the source's do; only in the rows `default` do they learn from the "
            "forest too.",
            _sampling,
            "no sampling",
            seeds=5,
        ),
        Study(
            "isotonic",
            "Calibration inside the model",
            "LiRank's isotonic layer, with and without a feature that it is keyed by, compared with none and with an "
            "isotonic regression that is fitted afterwards on viewers that the model was not trained on.",
            _isotonic,
            "none",
            seeds=5,
            kuairand_days=2,
            feed_days=2,
            prepared_by=_keyed,
        ),
        Study(
            "dense",
            "Normalising the dense embedding",
            "What comes before the towers' first layer, with the content embedding as it is and multiplied by 100.",
            _dense,
            "batch norm projection, × 1",
            seeds=5,
            data=("feed",),
        ),
    )
}
