"""Trains torch-rechub's MMoE or PLE and predicts; run by the interpreter of the environment that has it.

    python train.py ROWS.npz SETTINGS.json '{"kind": "mmoe", "seed": 0, "vocabularies": [12, 5]}'
    python train.py ROWS.npz PROBABILITIES.npy '{"kind": "mmoe", "seed": 1, "vocabularies": [12, 5], "epochs": 3}'

Without `epochs`, the best number is searched: that with the lowest cross entropy on the held-out viewers. Each
objective's cross entropy is divided by that of its base rate, so that rare and frequent objectives have the same
weight. With `epochs`, the model is trained on all rows.
"""

import itertools
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

_TRAINED_ON = ("dense", "codes", "labels")
_EPOCHS, _PATIENCE = 15, 2
_BATCH, _SCORE_BATCH = 512, 8192
_LEARNING_RATE, _WEIGHT_DECAY = 1e-3, 1e-5
_EMBEDDING = 8
_EXPERT = {"dims": [128, 64], "activation": "relu", "dropout": 0.1}
_TOWER = {"dims": [32], "activation": "relu", "dropout": 0.1}
_MMOE_EXPERTS = 8
_PLE_LEVELS, _PLE_SHARED, _PLE_SPECIFIC = 2, 2, 1


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


def best_epochs(model: torch.nn.Module, rows: dict[str, torch.Tensor], seed: int, folder: str) -> int:
    """Trains without the held-out viewers until the loss on them stops improving; returns the best number of epochs."""
    held_out = rows["held_out"]
    dense, codes, labels = (rows[name][held_out] for name in ("dense", "codes", "labels"))
    best, epochs = float("inf"), 0
    for epoch, _ in enumerate(trained(model, {name: rows[name][~held_out] for name in _TRAINED_ON}, seed, folder), 1):
        loss = normalized_entropy(predict(model, dense, codes), labels)
        if loss < best:
            best, epochs = loss, epoch
        if epoch == _EPOCHS or epoch - epochs == _PATIENCE:
            break
    return epochs


def trained(model: torch.nn.Module, rows: dict[str, torch.Tensor], seed: int, folder: str) -> Iterator[torch.nn.Module]:
    """Trains the model, and yields it after each epoch."""
    generator = torch.Generator().manual_seed(seed)
    batches = ShuffledBatches(rows["dense"], rows["codes"], rows["labels"], generator)
    trainer = MTLTrainer(
        model,
        ["classification"] * rows["labels"].shape[1],
        optimizer_params={"lr": _LEARNING_RATE, "weight_decay": _WEIGHT_DECAY},
        n_epoch=_EPOCHS,
        model_path=folder,
    )
    while True:
        trainer.train_one_epoch(batches)
        yield model


def main(rows_file: str, output: str, options: dict[str, Any]) -> None:
    """Reads the rows, trains, and writes the best number of epochs or the test rows' probabilities."""
    # Batches are small, and other seeds may be trained at the same time.
    torch.set_num_threads(1)
    seed = options["seed"]
    torch.manual_seed(seed)
    rows = {name: torch.from_numpy(values) for name, values in np.load(rows_file).items()}
    model = build(options["kind"], rows["dense"].shape[1], options["vocabularies"], rows["labels"].shape[1])
    folder = str(Path(output).parent)
    if "epochs" in options:
        for _ in itertools.islice(trained(model, rows, seed, folder), options["epochs"]):
            pass
        np.save(output, predict(model, rows["test_dense"], rows["test_codes"]).numpy())
    else:
        Path(output).write_text(json.dumps({"epochs": best_epochs(model, rows, seed, folder)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
