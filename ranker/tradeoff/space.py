"""The settings that are searched, as a unit cube."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from ranker.config.pipeline import PipelineConfig
from ranker.config.tradeoff import TradeOff
from ranker.evaluation.buckets import Floats
from ranker.tradeoff.setting import Setting

ALPHA, LAMBDA = "alpha", "lambda"


@dataclass(frozen=True)
class Space:
    """The searched parameters. Points are in the unit cube, [..., parameters].

    Attributes:
        names: of the parameters.
        current: the config's setting, arm 0.
        lower, upper: the ends of each range; of a weight, its size without the sign.
        logarithmic: whether the parameter has a logarithmic scale.
        signs: of each parameter.
    """

    names: tuple[str, ...]
    current: Setting
    lower: Floats
    upper: Floats
    logarithmic: np.ndarray
    signs: Floats

    @staticmethod
    def of(config: PipelineConfig, tradeoff: TradeOff) -> "Space":
        """The space that a config declares."""
        weights = {objective.name: objective.utility_weight for objective in config.objectives}
        search = tradeoff.search
        ranges: list[tuple[str, float, float, bool, float]] = []
        if search.alpha is not None:
            ranges.append((ALPHA, *search.alpha, False, 1.0))
        if search.lambda_ is not None:
            ranges.append((LAMBDA, *search.lambda_, True, 1.0))
        for name, factor in search.weights.items():
            size = abs(weights[name])
            ranges.append((name, size / factor, size * factor, True, float(np.sign(weights[name]))))
        names, lower, upper, logarithmic, signs = zip(*ranges, strict=True)
        return Space(
            names,
            Setting(config.utility.alpha, config.utility.lambda_, {name: weights[name] for name in search.weights}),
            np.array(lower),
            np.array(upper),
            np.array(logarithmic),
            np.array(signs),
        )

    def __len__(self) -> int:
        return len(self.names)

    def setting(self, point: Floats) -> Setting:
        """The setting at a point, [parameters]."""
        linear = self.lower + point * (self.upper - self.lower)
        ratio = np.where(self.logarithmic, self.upper / np.where(self.logarithmic, self.lower, 1.0), 1.0)
        scaled = np.where(self.logarithmic, self.lower * ratio**point, linear)
        values = dict(zip(self.names, (self.signs * scaled).tolist(), strict=True))
        alpha, lambda_ = values.pop(ALPHA, self.current.alpha), values.pop(LAMBDA, self.current.lambda_)
        return Setting(alpha, lambda_, values)

    def point(self, setting: Setting) -> Floats:
        """The point of a setting, [parameters]."""
        known: Mapping[str, float] = {ALPHA: setting.alpha, LAMBDA: setting.lambda_, **setting.weights}
        sizes = np.array([abs(known[name]) for name in self.names])
        linear = (sizes - self.lower) / (self.upper - self.lower)
        safe = np.where(self.logarithmic, self.lower, 1.0)
        span = np.where(self.logarithmic, np.log(np.where(self.logarithmic, self.upper, np.e) / safe), 1.0)
        return np.where(self.logarithmic, np.log(np.maximum(sizes, 1e-300) / safe) / span, linear)

    def spread(self, exponent: int, seed: int) -> Floats:
        """2**exponent points of a scrambled Sobol sequence, [points, parameters]."""
        return np.asarray(qmc.Sobol(len(self), scramble=True, rng=np.random.default_rng(seed)).random_base2(exponent))
