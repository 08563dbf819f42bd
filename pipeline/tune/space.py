"""The settings that are searched, and their ranges.

Ranges are around the defaults, which studies on two feeds have chosen. Numbers are rounded, so that what is proposed is
what was measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ranker.config.pipeline import PipelineConfig

if TYPE_CHECKING:
    import optuna

PARTS = ("forest", "towers", "training")

Value = float | int | str


@dataclass(frozen=True)
class Setting:
    """One searched setting.

    Attributes:
        part: of the config: forest, towers or training.
        name: of the field.
        low: the smallest value, where there are no choices.
        high: the largest value, likewise.
        step: between whole numbers.
        log: whether factors count and not differences.
        choices: in place of a range; as text, where the field is no number.
        when: whether the config allows it to be searched.
    """

    part: str
    name: str
    low: float = 0.0
    high: float = 0.0
    step: int | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()
    when: Callable[[PipelineConfig], bool] = lambda config: True

    @property
    def path(self) -> str:
        """Part and field, such as forest.depth."""
        return f"{self.part}.{self.name}"

    @property
    def range_text(self) -> str:
        """The range in words."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{self.low:g} to {self.high:g}{', by factors' if self.log else ''}"

    def suggest(self, trial: "optuna.Trial") -> Value:
        """The value of a trial."""
        if self.choices:
            chosen = trial.suggest_categorical(self.path, self.choices)
            assert chosen is not None
            return chosen
        if self.step is not None:
            return trial.suggest_int(self.path, int(self.low), int(self.high), step=self.step)
        return self.applied(trial.suggest_float(self.path, self.low, self.high, log=self.log))

    def applied(self, drawn: Value) -> Value:
        """The value that a config gets for one that optuna has drawn."""
        return rounded(drawn) if isinstance(drawn, float) else drawn

    def current(self, config: PipelineConfig) -> Value | None:
        """The config's own value in the form of `suggest`; None if it is outside the range."""
        value = getattr(getattr(config, self.part), self.name)
        if isinstance(value, tuple):
            value = _layers_text(value)
        if self.choices:
            return value if value in self.choices else None
        inside = self.low <= value <= self.high and (self.step is None or (value - self.low) % self.step == 0)
        return value if inside else None


def _has_forest(config: PipelineConfig) -> bool:
    return config.forest.trees > 0


def _has_objective_trees(config: PipelineConfig) -> bool:
    return _has_forest(config) and config.forest.target == "each"


SPACE = (
    Setting("forest", "depth", 3, 6, step=1, when=_has_forest),
    Setting("forest", "trees", 300, 1800, step=300, when=_has_forest),
    Setting("forest", "learning_rate", 0.03, 0.2, log=True, when=_has_forest),
    Setting("forest", "min_child_weight", 1.0, 50.0, log=True, when=_has_forest),
    Setting("towers", "hidden", choices=("32", "64 32", "128 64", "256 128")),
    Setting("towers", "leaf_embedding_size", choices=(2, 4, 8), when=_has_forest),
    Setting("towers", "dropout", 0.0, 0.3),
    Setting("towers", "leaf_dropout", 0.1, 0.8, when=_has_forest),
    Setting("towers", "forest_share", 0.0, 0.6, when=_has_objective_trees),
    Setting("training", "learning_rate", 5e-4, 8e-3, log=True),
    Setting("training", "distillation", 0.0, 0.9, when=_has_objective_trees),
)
"""Every searched setting. Features, objectives, seeds and what changes the transformed rows are left alone."""


def space_of(config: PipelineConfig, parts: Sequence[str] = PARTS) -> tuple[Setting, ...]:
    """The settings that can be searched for a config, of some of its parts."""
    return tuple(setting for setting in SPACE if setting.part in parts and setting.when(config))


def with_values(config: PipelineConfig, values: Mapping[str, Any]) -> PipelineConfig:
    """The config with values by path.

    Raises:
        ValueError: the config does not allow them together.
    """
    parts: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        part, _, name = path.partition(".")
        parts.setdefault(part, {})[name] = tuple(map(int, value.split())) if name == "hidden" else value
    return replace(config, **{part: replace(getattr(config, part), **fields) for part, fields in parts.items()})


def rounded(value: float) -> float:
    """Two significant digits.

    Example:
        >>> rounded(0.012345)
        0.012
    """
    return float(f"{value:.2g}")


def _layers_text(layers: Sequence[int]) -> str:
    return " ".join(map(str, layers))
