"""Trains a rival network and predicts; run by the interpreter of the environment that has PyTorch.

    python train.py ROWS.npz SETTINGS.json '{"kind": "mmoe", "seed": 0, "vocabularies": [12, 5]}'
    python train.py ROWS.npz PROBABILITIES.npy '{"kind": "mmoe", "seed": 1, "vocabularies": [12, 5], "epochs": 3,
                                                "learning_rate": 0.001}'

Without `epochs`, learning rate and number of epochs are searched: those with the lowest cross entropy on the held-out
viewers. Each objective's cross entropy is divided by that of its base rate, so that rare and frequent objectives have
the same weight. With `epochs`, the model is trained on all rows.
"""

import contextlib
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabm import TabM
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.basic.layers import MLP, CrossNetV2, EmbeddingLayer
from torch_rechub.models.multi_task import MMOE, PLE

_TRAINED_ON = ("dense", "codes", "labels")
_EPOCHS, _PATIENCE = 15, 2
_BATCH, _SCORE_BATCH = 512, 8192
_LEARNING_RATES, _WEIGHT_DECAY = (1e-3, 3e-4), 1e-5
_EMBEDDING = 8
_EXPERT = {"dims": [128, 64], "activation": "relu", "dropout": 0.1}
_TOWER = {"dims": [32], "activation": "relu", "dropout": 0.1}
_MMOE_EXPERTS = 8
_PLE_LEVELS, _PLE_SHARED, _PLE_SPECIFIC = 2, 2, 1
_CROSS_LAYERS, _DEEP = 3, [128, 64]
_TABM = {"k": 16, "n_blocks": 2, "d_block": 128, "dropout": 0.1}


class DivergedError(ArithmeticError):
    """A prediction is NaN, for which torch's cross entropy is not defined."""


@dataclass(frozen=True)
class ShuffledBatches:
    """Batches of rows for torch-rechub's trainer, in a new random order in each iteration."""

    dense: torch.Tensor
    codes: torch.Tensor
    labels: torch.Tensor
    generator: torch.Generator

    def __len__(self) -> int:
        return -(-len(self.labels) // _BATCH)

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        for rows in torch.randperm(len(self.labels), generator=self.generator).split(_BATCH):
            yield batch(self.dense[rows], self.codes[rows]), self.labels[rows]


def batch(dense: torch.Tensor, codes: torch.Tensor) -> dict[str, torch.Tensor]:
    """The model's inputs by name."""
    return {"dense": dense, **{f"code_{index}": codes[:, index] for index in range(codes.shape[1])}}


class Dcn(torch.nn.Module):
    """DCN v2 with a cross network beside a deep one (Wang et al., WWW 2021), and an output per objective."""

    def __init__(self, features: list[Any], objectives: int) -> None:
        super().__init__()
        self._features = features
        self._embedding = EmbeddingLayer(features)
        width = sum(feature.embed_dim for feature in features)
        self._cross, self._deep = (
            CrossNetV2(width, _CROSS_LAYERS),
            MLP(width, False, _DEEP, dropout=0.1, activation="relu"),
        )
        self._output = torch.nn.Linear(width + _DEEP[-1], objectives)

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Probabilities [rows, objectives]."""
        joined = self._embedding(inputs, self._features, squeeze_dim=True)
        return torch.sigmoid(self._output(torch.cat([self._cross(joined), self._deep(joined)], dim=1)))


class Ensemble(torch.nn.Module):
    """TabM (Gorishniy et al., ICLR 2025): members that share most weights, each with its own loss.

    The library encodes categories as one-hot vectors. With 1,800 codes, two thirds of a batch's time goes to them, so
    they are embedded here as for the other networks; the members share the embeddings.
    """

    def __init__(self, features: list[Any], objectives: int) -> None:
        super().__init__()
        self._features = features
        self._embedding = EmbeddingLayer(features)
        width = sum(feature.embed_dim for feature in features)
        self._members = TabM.make(n_num_features=width, d_out=objectives, **_TABM)

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Probabilities [rows, members, objectives]."""
        return torch.sigmoid(self._members(self._embedding(inputs, self._features, squeeze_dim=True)))


def build(kind: str, dense: int, vocabularies: list[int], objectives: int) -> torch.nn.Module:
    """The model, untrained."""
    sparse = [SparseFeature(f"code_{i}", size, embed_dim=_EMBEDDING) for i, size in enumerate(vocabularies)]
    features = [DenseFeature("dense", embed_dim=dense), *sparse]
    if kind == "dcn":
        return Dcn(features, objectives)
    if kind == "tabm":
        return Ensemble(features, objectives)
    types, towers = ["classification"] * objectives, [_TOWER] * objectives
    if kind == "mmoe":
        return MMOE(features, types, _MMOE_EXPERTS, _EXPERT, towers)
    return PLE(features, types, _PLE_LEVELS, _PLE_SPECIFIC, _PLE_SHARED, _EXPERT, towers)


def predict(model: torch.nn.Module, dense: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Probabilities [rows, objectives]; of members, their mean.

    Raises:
        DivergedError: a probability is NaN.
    """
    model.eval()
    parts = zip(dense.split(_SCORE_BATCH), codes.split(_SCORE_BATCH), strict=True)
    with torch.no_grad():
        found = [_checked(model(batch(*part))) for part in parts]
        return torch.cat([part.mean(dim=1) if part.ndim == 3 else part for part in found])


def _checked(predicted: torch.Tensor) -> torch.Tensor:
    if predicted.isnan().any():
        raise DivergedError("a prediction is NaN")
    return predicted


def normalized_entropy(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Mean over the objectives that have both outcomes."""
    loss = torch.nn.functional.binary_cross_entropy(probabilities, labels, reduction="none").mean(dim=0)
    rate = labels.mean(dim=0)
    entropy = -(torch.xlogy(rate, rate) + torch.xlogy(1 - rate, 1 - rate))
    return float((loss / entropy)[entropy > 0].mean())


def best_settings(rows: dict[str, torch.Tensor], seed: int, options: dict[str, Any]) -> dict[str, float]:
    """Trains without the held-out viewers, and returns the learning rate and epochs with the lowest loss on them.

    Raises:
        ValueError: no learning rate gives a finite loss, as training diverged, or no objective has both outcomes.
    """
    held_out = rows["held_out"]
    dense, codes, labels = (rows[name][held_out] for name in ("dense", "codes", "labels"))
    fitted = {name: rows[name][~held_out] for name in _TRAINED_ON}
    found: list[tuple[float, dict[str, float]]] = []
    for rate in _LEARNING_RATES:
        best, epochs = float("inf"), 0
        with contextlib.suppress(DivergedError):  # the epochs before it, or the other learning rate, may do
            for epoch, model in enumerate(trained(fitted, seed, rate, options), 1):
                loss = normalized_entropy(predict(model, dense, codes), labels)
                if loss < best:
                    best, epochs = loss, epoch
                if epoch == _EPOCHS or epoch - epochs == _PATIENCE:
                    break
        if epochs:
            found.append((best, {"learning_rate": rate, "epochs": epochs}))
    if not found:
        rates = ", ".join(map(str, _LEARNING_RATES))
        raise ValueError(f"{options['kind']}: no learning rate of {rates} gives a finite loss on the held-out viewers")
    return min(found, key=lambda one: one[0])[1]


def trained(
    rows: dict[str, torch.Tensor], seed: int, learning_rate: float, options: dict[str, Any]
) -> Iterator[torch.nn.Module]:
    """Trains a model, and yields it after each epoch.

    Raises:
        DivergedError: a prediction is NaN.
    """
    torch.manual_seed(seed)
    model = build(options["kind"], rows["dense"].shape[1], options["vocabularies"], rows["labels"].shape[1])
    batches = ShuffledBatches(rows["dense"], rows["codes"], rows["labels"], torch.Generator().manual_seed(seed))
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, weight_decay=_WEIGHT_DECAY)
    while True:
        model.train()
        for inputs, labels in batches:
            optimizer.zero_grad()
            predicted = _checked(model(inputs))
            if predicted.ndim == 3:
                labels = labels[:, None].expand_as(predicted)
            torch.nn.functional.binary_cross_entropy(predicted, labels).backward()  # objectives weigh the same
            optimizer.step()
        yield model


def main(rows_file: str, output: str, options: dict[str, Any]) -> None:
    """Reads the rows, trains, and writes the best settings or the test rows' probabilities."""
    # Batches are small, and other seeds may be trained at the same time.
    torch.set_num_threads(1)
    rows = {name: torch.from_numpy(values) for name, values in np.load(rows_file).items()}
    if "epochs" in options:
        epochs = trained(rows, options["seed"], options["learning_rate"], options)
        model = next(itertools.islice(epochs, int(options["epochs"]) - 1, None))
        np.save(output, predict(model, rows["test_dense"], rows["test_codes"]).numpy())
    else:
        Path(output).write_text(json.dumps(best_settings(rows, options["seed"], options)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
