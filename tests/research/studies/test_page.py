"""What a study says of numbers that are known."""

from pathlib import Path

import numpy as np
import pytest

from research.studies.conclusions import figures
from research.studies.measuring import METRICS, Measured
from research.studies.page import draw, markdown
from research.studies.results import Results
from research.studies.studies import STUDIES


def results(study: str, **values: dict[str, list[list[float]]]) -> Results:
    """Three seeds and two objectives; what `values` does not say of a variant is 0.5."""
    plain = np.full([3, 2], 0.5)
    variants = {
        v.name: Measured({metric: np.array(values.get(metric, {}).get(v.name, plain)) for metric in METRICS})
        for v in STUDIES[study].variants("feed")
    }
    return Results(STUDIES[study], "feed", ("2026-01-02",), 3, 1_000, {"click": 200, "reply": 3}, variants)


def test_the_variance_of_the_rarest_objective_is_set_beside_that_without_warm_up() -> None:
    found = results(
        "variance",
        auc={
            "adam, warm-up 0%": [[0.7, 0.5], [0.7, 0.6], [0.7, 0.7]],
            "adam, warm-up 10%": [[0.5, 0.60], [0.7, 0.61], [0.9, 0.62]],
        },
    )
    [adam] = [f for f in figures(found) if f.name == "feed.auc_deviation.adam"]
    assert [adam.ours, adam.rival] == pytest.approx([0.01, 0.1])
    assert "the AUC of reply, the rarest objective" in adam.note
    assert "standard deviation of 0.1000 without warm-up and of 0.0100 with" in markdown([found], "command", {})


def test_the_steadiest_setting_is_one_of_those_that_are_as_good_as_the_best() -> None:
    found = results(
        "variance",
        auc={
            "adam, warm-up 10%": [[0.68, 0.68], [0.72, 0.72], [0.70, 0.70]],
            "adam, warm-up 50%": [[0.70, 0.72], [0.72, 0.74], [0.71, 0.73]],  # the best
            "adamw, warm-up 5%": [[0.70, 0.70], [0.71, 0.71], [0.72, 0.72]],  # 0.01 behind it, within noise
            "adagrad, warm-up 0%": 3 * [[0.6, 0.6]],  # steadier, and worse
        },
    )
    [figure] = [f for f in figures(found) if f.name == "feed.auc_deviation.least"]
    assert [figure.ours, figure.rival] == pytest.approx([0.02, 0.01])
    assert "the best, adam, warm-up 50% (0.7200), adam, warm-up 50%" in figure.note
    assert figure.note.endswith("Within the noise are adam, warm-up 10%, adam, warm-up 50%, adamw, warm-up 5%")


def test_the_default_is_set_beside_itself_trained_by_adagrad() -> None:
    found = results(
        "variance",
        auc={
            "default, warm-up 10%": [[0.7, 0.8], [0.71, 0.81], [0.72, 0.82]],
            "default, adagrad, warm-up 10%": [[0.68, 0.78], [0.70, 0.80], [0.72, 0.82]],
        },
    )
    [figure] = [f for f in figures(found) if f.name == "feed.auc_deviation.default, trained by Adagrad"]
    assert [figure.ours, figure.rival] == pytest.approx([0.01, 0.02])
    assert "AUC +0.0100 ± 0.0248, normalized entropy +0.0000 ± 0.0000" in figure.note


def test_sampling_names_the_objective_whose_o_over_e_moved_most() -> None:
    name = "10% of an objective's negatives, uncorrected"
    found = results("sampling", o_over_e={name: [[0.45, 0.09], [0.45, 0.10], [0.45, 0.11]]})
    [figure] = [f for f in figures(found) if f.name.endswith(name)]
    assert figure.ratio == pytest.approx(0.2)
    assert "O/E, times that without sampling, is click 0.900 ± 0.000, reply 0.200 ± 0.050;" in figure.note


def test_a_calibration_that_helps_has_a_ratio_below_one() -> None:
    found = results("isotonic", normalized_entropy={"layer": 3 * [[0.4, 0.5]]})
    ratios = {f.name: f.ratio for f in figures(found)}
    assert ratios["feed.normalized_entropy.layer"] == pytest.approx(0.9)
    assert ratios["feed.normalized_entropy.layer by surface"] == pytest.approx(1)


def test_a_choice_that_pays_has_a_lower_entropy_than_its_alternative() -> None:
    found = results("choices", normalized_entropy={"no cross layer": 3 * [[0.5, 0.52]]})
    by_name = {f.name: f for f in figures(found)}
    assert len(by_name) == len(found.variants) - 1
    paying = by_name["feed.normalized_entropy.no cross layer"]
    assert paying.ratio == pytest.approx(0.5 / 0.51)
    assert "default, less no cross layer: normalized entropy -0.01000 ± 0.00000" in paying.note


def test_a_disturbed_embedding_is_compared_with_itself() -> None:
    found = results("dense", auc={"none, × 100": 3 * [[0.25, 0.25]]})
    ratios = {f.name: f.ratio for f in figures(found)}
    assert ratios == {
        "feed.disturbed_auc.none": pytest.approx(0.5),
        "feed.disturbed_auc.batch norm": pytest.approx(1),
        "feed.disturbed_auc.projection": pytest.approx(1),
        "feed.disturbed_auc.batch norm projection": pytest.approx(1),
    }


def test_the_page_has_every_variant_in_every_table(tmp_path: Path) -> None:
    found = results("variance")
    page = markdown([found], "uv run python -m research.studies variance", {"feed": "variance_feed.svg"})
    assert page.count("| adagrad, warm-up 50% | 0.5") == 4
    assert "Positives: click 200, reply 3." in page
    draw(found, tmp_path / "variance_feed.svg")
    assert (tmp_path / "variance_feed.svg").read_text().count("reply") >= 1
