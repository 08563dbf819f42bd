"""Tables and figures of known numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import Figure
from research.studies.comparisons import comparison
from research.studies.measuring import METRICS, Measured
from research.studies.page import draw, markdown
from research.studies.results import StudyResults
from research.studies.studies import STUDIES


def results(study: str, **values: dict[str, list[list[float]]]) -> StudyResults:
    """Three seeds and two objectives; the default of variants that are not in `values` is 0.5."""
    plain = np.full([3, 2], 0.5)
    variants = {
        v.name: Measured({metric: np.array(values.get(metric, {}).get(v.name, plain)) for metric in METRICS})
        for v in STUDIES[study].variants("feed")
    }
    return StudyResults(STUDIES[study], "feed", ("2026-01-02",), 3, 1_000, {"click": 200, "reply": 3}, variants)


def figures(found: StudyResults) -> list[Figure]:
    return comparison(found).figures


def test_the_variance_of_the_rarest_objective_is_compared_with_that_without_warm_up() -> None:
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
    assert adam.note.endswith("adam, warm-up 10% compared with adam, warm-up 0%; means 0.6100 and 0.6000")
    page = markdown([found], "command", {})
    assert "| adam, warm-up 0% | 0.7000 (sd 0.0000) | 0.6000 (sd 0.1000) |" in page
    assert "| adam, warm-up 10% | 0.7000 (sd 0.2000) | 0.6100 (sd 0.0100) |" in page


def test_the_steadiest_setting_is_one_of_those_that_are_as_good_as_the_best() -> None:
    found = results(
        "variance",
        auc={
            "adam, warm-up 10%": [[0.68, 0.68], [0.72, 0.72], [0.70, 0.70]],
            "adam, warm-up 50%": [[0.70, 0.72], [0.72, 0.74], [0.71, 0.73]],  # the best
            "adamw, warm-up 5%": [[0.70, 0.70], [0.71, 0.71], [0.72, 0.72]],  # lower by 0.01, not significant
            "adagrad, warm-up 0%": 3 * [[0.6, 0.6]],  # lower deviation, and worse
        },
    )
    [figure] = [f for f in figures(found) if f.name == "feed.auc_deviation.least"]
    assert [figure.ours, figure.rival] == pytest.approx([0.02, 0.01])
    settings, good, _ = comparison(found).tables
    assert settings.splitlines()[2:] == [
        "| highest mean AUC | adam, warm-up 50% | 0.7200 | 0.0100 |",
        "| least sd of those not significantly below it | adam, warm-up 50% | 0.7200 | 0.0100 |",
        "| the default's optimizer and warm-up | adam, warm-up 10% | 0.7000 | 0.0200 |",
    ]
    assert good.endswith("mean AUC: adam, warm-up 10%; adam, warm-up 50%; adamw, warm-up 5%.")


def test_the_default_is_compared_with_itself_trained_by_adagrad() -> None:
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
    row = "| trained by Adagrad | 0.0100 | 0.0200 | +0.0100 ± 0.0248 | +0.0000 ± 0.0000 |"
    assert comparison(found).tables[-1].splitlines()[-1] == row


def test_sampling_names_the_objective_whose_o_over_e_moved_most() -> None:
    name = "10% of an objective's negatives, uncorrected"
    found = results("sampling", o_over_e={name: [[0.45, 0.09], [0.45, 0.10], [0.45, 0.11]]})
    [figure] = [f for f in figures(found) if f.name.endswith(name)]
    assert figure.ratio == pytest.approx(0.2)
    assert figure.note.startswith("reply, whose O/E changed most")
    [table] = comparison(found).tables
    assert f"| {name} | no sampling | 0.900 ± 0.000 | 0.200 ± 0.050 | +0.0000 ± 0.0000 |" in table


def test_a_calibration_that_helps_has_a_ratio_below_one() -> None:
    found = results("isotonic", normalized_entropy={"layer": 3 * [[0.4, 0.5]]})
    ratios = {f.name: f.ratio for f in figures(found)}
    assert ratios["feed.normalized_entropy.layer"] == pytest.approx(0.9)
    assert ratios["feed.normalized_entropy.layer by surface"] == pytest.approx(1)
    [table] = comparison(found).tables
    assert "| layer | none | -0.05000 ± 0.00000 | +0.00000 ± 0.00000 |" in table
    assert "| labels alone, layer | labels alone, none | +0.00000 ± 0.00000 |" in table


def test_a_choice_that_pays_has_a_lower_entropy_than_its_alternative() -> None:
    found = results("choices", normalized_entropy={"no cross layer": 3 * [[0.5, 0.52]]})
    by_name = {f.name: f for f in figures(found)}
    assert len(by_name) == len(found.variants) - 1
    paying = by_name["feed.normalized_entropy.no cross layer"]
    assert paying.ratio == pytest.approx(0.5 / 0.51)
    assert paying.note.startswith("default − no cross layer")
    [table] = comparison(found).tables
    assert "| no cross layer | default | -0.01000 ± 0.00000 | +0.00000 ± 0.00000 |" in table
    assert table.count("\n") == len(found.variants)


def test_a_disturbed_embedding_is_compared_with_itself() -> None:
    found = results("dense", auc={"none, × 100": 3 * [[0.25, 0.25]]})
    ratios = {f.name: f.ratio for f in figures(found)}
    assert ratios == {
        "feed.disturbed_auc.none": pytest.approx(0.5),
        "feed.disturbed_auc.batch norm": pytest.approx(1),
        "feed.disturbed_auc.projection": pytest.approx(1),
        "feed.disturbed_auc.batch norm projection": pytest.approx(1),
    }
    [table] = comparison(found).tables
    assert "| none | 0.5000 | 0.2500 | +0.0000 ± 0.0000 |" in table


def test_one_seed_gives_no_interval_and_nothing_significant() -> None:
    found = results("choices")
    one = {name: Measured({m: v[:1] for m, v in variant.values.items()}) for name, variant in found.variants.items()}
    [table] = comparison(replace(found, seeds=1, variants=one)).tables
    assert "| no cross layer | default | +0.00000 | +0.00000 |" in table


def test_the_page_has_every_variant_in_every_table(tmp_path: Path) -> None:
    found = results("variance")
    page = markdown([found], "uv run python -m research.studies variance", {"feed": "variance_feed.svg"})
    assert page.count("| adagrad, warm-up 50% | 0.5") == 4
    assert "Positives: click 200, reply 3." in page
    draw(found, tmp_path / "variance_feed.svg")
    assert (tmp_path / "variance_feed.svg").read_text().count("reply") >= 1
