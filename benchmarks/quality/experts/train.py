"""Trains torch-rechub's MMoE or PLE and predicts; run by the interpreter of the environment that has it.

    python train.py ROWS.npz PROBABILITIES.npy '{"kind": "mmoe", "seed": 1, "vocabularies": [12, 5]}'

Of the epochs, the one with the lowest cross entropy on the held-out viewers is kept; each objective's is divided by
that of its base rate, so that rare ones count as much as frequent ones.
"""

import copy
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.multi_task import MMOE, PLE
from torch_rechub.trainers import MTLTrainer

_EPOCHS, _PATIENCE = 15, 2
_BATCH, _SCORE_BATCH = 512, 8192
_LEARNING_RATE, _WEIGHT_DECAY = 1e-3, 1e-5
_EMBEDDING = 8
_EXPERT = {"dims": [128, 64], "activation": "relu", "dropout": 0.1}
_TOWER = {"dims": [32], "activation": "relu", "dropout": 0.1}
_MMOE_EXPERTS = 8
_PLE_LEVELS, _PLE_SHARED, _PLE_SPECIFIC = 2, 2, 1


@dataclass(frozen=True)
class Batches:
    """Batches of rows in a new random order each time, as torch-rechub's trainer takes them."""

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


def build(kind: str, dense: int, vocabularies: list[int], objectives: int) -> torch.nn.Module:
    """The model, untrained."""
    sparse = [SparseFeature(f"code_{i}", size, embed_dim=_EMBEDDING) for i, size in enumerate(vocabularies)]
    features = [DenseFeature("dense", embed_dim=dense), *sparse]
    types, towers = ["classification"] * objectives, [_TOWER] * objectives
    if kind == "mmoe":
        return MMOE(features, types, _MMOE_EXPERTS, _EXPERT, towers)
    return PLE(features, types, _PLE_LEVELS, _PLE_SPECIFIC, _PLE_SHARED, _EXPERT, towers)


def predict(model: torch.nn.Module, dense: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Probabilities [rows, objectives]."""
    model.eval()
    parts = zip(dense.split(_SCORE_BATCH), codes.split(_SCORE_BATCH), strict=True)
    with torch.no_grad():
        return torch.cat([model(batch(*part)) for part in parts])


def normalized_entropy(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Mean over the objectives that have both outcomes."""
    loss = torch.nn.functional.binary_cross_entropy(probabilities, labels, reduction="none").mean(dim=0)
    rate = labels.mean(dim=0)
    entropy = -(torch.xlogy(rate, rate) + torch.xlogy(1 - rate, 1 - rate))
    return float((loss / entropy)[entropy > 0].mean())


def train(model: torch.nn.Module, rows: dict[str, torch.Tensor], seed: int, folder: str) -> None:
    """Trains, and leaves the model with the weights of its best epoch."""
    held_out = rows["held_out"]
    fitted = [rows[name][~held_out] for name in ("dense", "codes", "labels")]
    dense, codes, labels = (rows[name][held_out] for name in ("dense", "codes", "labels"))
    batches = Batches(fitted[0], fitted[1], fitted[2], torch.Generator().manual_seed(seed))
    types = ["classification"] * labels.shape[1]
    trainer = MTLTrainer(
        model,
        types,
        optimizer_params={"lr": _LEARNING_RATE, "weight_decay": _WEIGHT_DECAY},
        n_epoch=_EPOCHS,
        model_path=folder,
    )
    best, weights, since = float("inf"), copy.deepcopy(model.state_dict()), 0
    for _ in range(_EPOCHS):
        trainer.train_one_epoch(batches)
        loss = normalized_entropy(predict(model, dense, codes), labels)
        if loss < best:
            best, weights, since = loss, copy.deepcopy(model.state_dict()), 0
        else:
            since += 1
        if since == _PATIENCE:
            break
    model.load_state_dict(weights)


def main(rows_file: str, probabilities: str, options: dict[str, Any]) -> None:
    """Reads the rows, trains, writes the test rows' probabilities."""
    # Batches are small, and other seeds may be training beside this one.
    torch.set_num_threads(1)
    torch.manual_seed(options["seed"])
    rows = {name: torch.from_numpy(values) for name, values in np.load(rows_file).items()}
    model = build(options["kind"], rows["dense"].shape[1], options["vocabularies"], rows["labels"].shape[1])
    train(model, rows, options["seed"], str(Path(probabilities).parent))
    np.save(probabilities, predict(model, rows["test_dense"], rows["test_codes"]).numpy())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
