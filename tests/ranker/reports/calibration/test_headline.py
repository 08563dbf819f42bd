"""The headline of the page."""

from dataclasses import replace

from ranker.config.gates import Gates
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.held_out_day import HeldOutDay
from ranker.evaluation.verdict import BY_UTILITY
from ranker.forest.curve import LimitedOutput
from ranker.reports.calibration.headline import verdict
from ranker.reports.calibration.inputs import ReportInputs
from tests.ranker.reports.documents import bare_inputs, refused_inputs


def test_a_blessed_model_is_reported_with_its_version_and_number_of_gates(inputs: ReportInputs) -> None:
    said = verdict(inputs)
    on_slices = inputs.evaluation.slice_verdicts["passed"]
    assert said.tone == "good"
    assert said.sentence == f"Blessed and pushed as version 1700000001: 9 gates and {on_slices} on slices passed."
    texts = [note.text for note in said.notes]
    assert "Compared with the model now serving, version 1700000000, on the same impressions." in texts
    assert "the feed log has no 2026-01-09; trained without it" in texts
    assert "part-0.parquet: 2 of the 8,000 rows" in texts


def test_a_refused_model_names_objective_slice_value_interval_and_limit() -> None:
    inputs = refused_inputs()
    said = verdict(inputs)
    [failed] = [v for v in inputs.evaluation.verdicts if v.refuses and v.slice == "device=ios"]
    assert said.tone == "bad"
    assert said.sentence.startswith("Not blessed: ")
    [note] = [note for note in said.notes if "click on device=ios:" in note.text]
    assert note.tone == "bad"
    assert f"O/E is {failed.value:.3f} [{failed.lower:.3f}, {failed.upper:.3f}]" in note.text
    assert "beyond the limit of 0.5 to 2" in note.text
    texts = [n.text for n in said.notes]
    assert "No model was serving before, so the gates that compare with it were skipped." in texts


def test_of_the_ranking_by_utility_sessions_are_too_few(inputs: ReportInputs) -> None:
    evaluation = inputs.evaluation
    of_utility, of_click = (
        next(v for v in evaluation.verdicts if v.objective == objective) for objective in (BY_UTILITY, "click")
    )
    undecided = tuple(
        replace(v, outcome="too few", blocking=False) if v in (of_utility, of_click) else v for v in evaluation.verdicts
    )
    said = verdict(replace(inputs, evaluation=replace(evaluation, verdicts=undecided)))
    assert said.sentence.endswith("1 gate had too few positives to judge, and 1 gate had too few sessions to judge.")


def test_a_model_with_too_few_positives_to_judge_is_blessed_but_not_in_green(inputs: ReportInputs) -> None:
    evaluation = inputs.evaluation
    first = next(v for v in evaluation.verdicts if v.objective != BY_UTILITY)
    others = tuple(v for v in evaluation.verdicts if v is not first)
    undecided = replace(first, outcome="too few", blocking=False)
    inputs = replace(inputs, evaluation=replace(evaluation, verdicts=(undecided, *others)))
    said = verdict(inputs)
    assert said.tone == "warn"
    assert said.sentence.startswith("Blessed and pushed as version 1700000001: 8 gates and ")
    assert said.sentence.endswith(" passed, and 1 gate had too few positives to judge.")
    assert said.notes[0].tone == "warn"
    blocking = replace(undecided, blocking=True)
    refused = replace(evaluation, blessed=False, verdicts=(blocking, *others))
    said = verdict(replace(inputs, evaluation=refused))
    assert said.tone == "bad"
    assert said.sentence.startswith("Not blessed: 1 gate had too few positives to judge, and the previous model")


def test_checks_that_were_skipped_are_reported() -> None:
    inputs = bare_inputs()
    inputs = replace(inputs, evaluation=replace(inputs.evaluation, slices_dropped=(("author", "device"),)))
    notes = {note.text: note.tone for note in verdict(inputs).notes}
    assert notes["Not compared with the model now serving, version 7: it predicts ['other']"] == "warn"
    assert notes["Slices by author × device were left out: they have too many values."] == "warn"
    assert any(text.startswith("share: AUC is undefined") and tone == "warn" for text, tone in notes.items())


def test_a_withdrawn_model_is_blessed_but_not_published(inputs: ReportInputs) -> None:
    text = "this model served as version 17 until a rollback withdrew it"
    said = verdict(replace(inputs, pushed_version=None, not_pushed=text))
    assert said.tone == "warn"
    assert said.sentence.startswith("Blessed but not published: ")
    assert said.notes[0].text == text


def test_the_note_says_what_the_model_was_compared_with(inputs: ReportInputs) -> None:
    def notes(baseline: Baseline) -> dict[str, str]:
        evaluation = replace(inputs.evaluation, baseline=baseline)
        return {note.text: note.tone for note in verdict(replace(inputs, evaluation=evaluation)).notes}

    older = notes(Baseline("5", reason="version 7, which is newer, was trained on 2026-03-09"))
    assert older[
        "Compared with version 5, on the same impressions; version 7, which is newer, was trained on 2026-03-09."
    ] == ("warn")
    partial = notes(Baseline("7", lacks=("share",)))
    assert any(text.endswith("it does not predict share, so these were not compared.") for text in partial)


def test_a_missing_baseline_that_blocks_is_the_verdict(inputs: ReportInputs) -> None:
    baseline = Baseline("7", "it cannot be loaded", blocks=True)
    said = verdict(replace(inputs, evaluation=replace(inputs.evaluation, baseline=baseline, blessed=False)))
    assert said.tone == "bad"
    assert said.sentence.startswith("Not blessed: it was not compared with a pushed model")
    [note] = [note for note in said.notes if "gates.baseline_required" in note.text]
    assert note.tone == "bad"


def test_a_limited_number_of_trees_is_a_note(inputs: ReportInputs) -> None:
    assert inputs.forest_curve is not None
    limited = replace(inputs.forest_curve, limited={"share": LimitedOutput(2, 20)})
    notes = {note.text: note.tone for note in verdict(replace(inputs, forest_curve=limited)).notes}
    assert notes[limited.notes()[0]] == "warn"


def test_a_small_held_out_day_is_in_the_headline(inputs: ReportInputs) -> None:
    small = HeldOutDay.of(161, 9000, Gates())
    said = verdict(replace(inputs, evaluation=inputs.evaluation.on_day(small)))
    assert said.tone == "warn"
    assert said.sentence.endswith(" passed, and the held-out day is far smaller than the others.")
    assert (said.notes[0].text, said.notes[0].tone) == (small.text, "warn")

    blocking = HeldOutDay.of(161, 9000, Gates(small_day="block"))
    blocked = verdict(replace(inputs, evaluation=inputs.evaluation.on_day(blocking)))
    assert blocked.tone == "bad"
    assert blocked.sentence == (
        "Not blessed: the held-out day is far smaller than the others, and the previous model continues to serve."
    )
