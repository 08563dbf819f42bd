"""Which impressions are explained, and that their contributions are those of the explainer."""

import numpy as np
import pytest

from ranker.explanation.explainer import Explainer
from ranker.explanation.impressions import HIGHEST, MOST_WRONG, TYPICAL, choose, explain_impressions
from ranker.features.keys_and_labels import ObjectiveKind
from ranker.features.log_column import LogColumn
from ranker.scoring.loading import load_model
from tests.ranker.trained import Trained

NAN = float("nan")


@pytest.mark.parametrize(
    ("log_odds", "outcomes", "expected"),
    [
        ([-2.0, 1.0, 3.0, 0.0], [0, 0, 1, 1], {HIGHEST: 2, f"{TYPICAL} and {MOST_WRONG}": 1}),
        ([-4.0, 1.0, 3.0, 0.0], [1, 0, 1, 1], {HIGHEST: 2, TYPICAL: 1, MOST_WRONG: 0}),
        ([-4.0, 1.0, 3.0, 0.0], [NAN, NAN, 0, NAN], {f"{HIGHEST} and {MOST_WRONG}": 2, TYPICAL: 1}),
        ([-4.0, 1.0, 3.0], [NAN] * 3, {HIGHEST: 2, TYPICAL: 1}),
        ([0.5], [1], {f"{HIGHEST} and {TYPICAL} and {MOST_WRONG}": 0}),
    ],
)
def test_the_chosen_rows(log_odds: list[float], outcomes: list[float], expected: dict[str, int]) -> None:
    assert choose(np.array(log_odds), np.array(outcomes, float)) == expected


@pytest.mark.slow
def test_a_trained_models_impressions_add_up_to_its_log_odds(trained: Trained) -> None:
    loaded = load_model(trained.model.location)
    table = trained.held_out.slice(0, 100)
    labels = [LogColumn(o.name, ObjectiveKind.name, column=o.column) for o in trained.config.objectives]
    columns = (*loaded.scorer.check("table", table.schema), *labels)
    [batch] = table.combine_chunks().to_batches()
    examples = loaded.scorer.examples(batch, columns, "table")
    explainer = Explainer(str(loaded.folder), loaded.description.manifest)

    found = explain_impressions(explainer, examples.to_pylist(), ["click", "like"])

    scores = trained.model.score(table)
    for label in labels:
        name = label.name
        probabilities = scores[name].to_numpy()
        by_kind = {kind: one for one in found[name] for kind in one.kind.split(" and ")}
        assert by_kind[HIGHEST].probability == pytest.approx(probabilities.max(), abs=1e-3)
        assert by_kind[TYPICAL].probability == pytest.approx(np.sort(probabilities)[50], abs=1e-3)
        wrong = by_kind[MOST_WRONG]
        outcomes = table[label.source].cast("int8").cast("float64").to_numpy()  # NaN where it was not observed
        surprise = np.where(np.isnan(outcomes), -1.0, np.abs(outcomes - probabilities))
        row = int(np.argmax(surprise))
        assert wrong.outcome == bool(outcomes[row])
        assert abs(outcomes[row] - wrong.probability) == pytest.approx(surprise.max(), abs=1e-3)
        assert wrong.values["device"] == (table["device"][row].as_py() or "missing")
        # A page holds no ids.
        assert (wrong.values["viewer"], wrong.values["author"]) == (
            "known",
            "missing" if table["author"][row].as_py() is None else "known",
        )
        assert set(wrong.contributions) == set(trained.model.features)
    assert explain_impressions(explainer, [], ["click", "like"]) == {}
