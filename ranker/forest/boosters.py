"""XGBoost's own model as JSON: trees are removed from it, and those of another model added."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xgboost as xgb


def keep_rounds(booster: xgb.Booster, rounds: Sequence[int]) -> xgb.Booster:
    """The booster without the trees beyond each output's number of rounds.

    Args:
        booster: has one tree per output and round.
        rounds: rounds to keep of each output; at least 1 of one of them.
    """
    model, trees = _read(booster)
    outputs = len(rounds)
    kept = [
        round_ * outputs + output
        for round_ in range(max(rounds))
        for output, number in enumerate(rounds)
        if round_ < number
    ]
    in_round = [sum(round_ < number for number in rounds) for round_ in range(max(rounds))]
    _put(trees, [trees["trees"][old] for old in kept], [trees["tree_info"][old] for old in kept], in_round)
    return write_model(model)


def with_trees_of(booster: xgb.Booster, later: xgb.Booster) -> bytes:
    """The booster with the trees of another one at the end, serialised as UBJSON; its base score stays.

    Args:
        booster: the first trees.
        later: a booster of the same features and outputs.
    """
    model, trees = _read(booster)
    _, added = _read(later)
    in_round = [*np.diff(trees["iteration_indptr"]).tolist(), *np.diff(added["iteration_indptr"]).tolist()]
    _put(trees, [*trees["trees"], *added["trees"]], [*trees["tree_info"], *added["tree_info"]], in_round)
    return bytes(write_model(model).save_raw("ubj"))


def read_model(booster: xgb.Booster) -> dict[str, Any]:
    """The model as JSON values."""
    model: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return model


def write_model(model: dict[str, Any]) -> xgb.Booster:
    """The booster of `read_model`'s values."""
    return xgb.Booster(model_file=bytearray(json.dumps(model).encode()))


def _read(booster: xgb.Booster) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model as JSON values, and the part of it that has the trees."""
    model = read_model(booster)
    return model, model["learner"]["gradient_booster"]["model"]


def _put(trees: dict[str, Any], all_trees: Sequence[dict[str, Any]], info: list[int], in_round: Sequence[int]) -> None:
    """Replaces the trees in place: the trees, the output of each, and the number of trees per round."""
    trees["trees"] = [tree | {"id": number} for number, tree in enumerate(all_trees)]
    trees["tree_info"] = info
    trees["iteration_indptr"] = [0, *np.cumsum(in_round).tolist()]
    trees["gbtree_model_param"]["num_trees"] = str(len(all_trees))
