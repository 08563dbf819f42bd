"""The monitor's page."""

from collections.abc import Iterator, Sequence

from ranker.monitoring.drift import FeatureHealth
from ranker.monitoring.record import DayRecord
from ranker.plain_text import one_line
from ranker.reports.html import MAX_OBJECTIVES, environment
from ranker.reports.html_table import Table, TableCell, TableColumn, Tone, limited, text_cell
from ranker.reports.monitor import figures
from ranker.reports.text import count, number, percent, plural, significant

MOST_DRIFTED = 10
MAX_SERIES = 12
"""Maximum number of features with a series: those beyond their limits."""


def monitor_page(name: str, records: Sequence[DayRecord]) -> str:
    """One self-contained HTML document.

    Args:
        name: of the config.
        records: of all days, oldest first; at least one.
    """
    newest = records[-1]
    objectives = list(dict.fromkeys(o.objective for record in records for o in record.outcomes))[:MAX_OBJECTIVES]
    recent = records[-figures.MAX_DAYS :]
    alarmed = list(dict.fromkeys(f.feature for record in reversed(recent) for f in record.features if f.alarm))
    rankings = [figures.ranking_series(name, records) for name in ("", *objectives)]
    maps = [figures.outcome_map(objective, records) for objective in objectives]
    page: str = (
        environment()
        .get_template("monitor.html.j2")
        .render(
            name=name,
            newest=newest,
            sentence=_sentence(newest),
            confidence=f"{100 * newest.confidence:g} %",
            outcomes=[figures.outcome_series(objective, records) for objective in objectives],
            rankings=[drawing for drawing in rankings if drawing is not None],
            outcome_maps=[drawing for drawing in maps if drawing is not None],
            outcome_table=outcome_table(newest),
            feature_map=figures.feature_map(records),
            feature_series=[figures.feature_series(feature, records) for feature in alarmed[:MAX_SERIES]],
            drifted=feature_table(newest, "drifted", MOST_DRIFTED),
            features=feature_table(newest, "features", len(newest.features)),
            scores=[figures.score_series(objective, records) for objective in objectives],
            days=days_table(records),
        )
    )
    return page


def outcome_table(record: DayRecord) -> Table:
    """Every objective on every slice of a day: alarms first, then by descending number of outcomes."""
    columns = [
        TableColumn("objective", numeric=False),
        TableColumn("slice", numeric=False),
        TableColumn("impressions"),
        TableColumn("observed"),
        TableColumn("expected"),
        TableColumn("O/E"),
        TableColumn("limits", numeric=False),
        TableColumn("state", numeric=False),
    ]
    outcomes = sorted(record.outcomes, key=lambda o: (-o.weight, -o.observed))
    rows = [
        (
            text_cell(o.objective),
            text_cell(o.slice or "all impressions"),
            TableCell(count(o.impressions), o.impressions),
            TableCell(count(o.observed), o.observed),
            TableCell(number(o.expected, 1), o.expected),
            TableCell(number(o.o_over_e), o.o_over_e, "–".join(number(v) for v in (o.lower, o.upper) if v is not None)),
            text_cell("not judged" if o.limit is None else f"{o.limit[0]:g} to {o.limit[1]:g}"),
            text_cell("beyond", "bad") if o.alarm else text_cell("" if o.limit is None else "within", "good"),
        )
        for o in outcomes
    ]
    return limited("outcomes", columns, rows)


def feature_table(record: DayRecord, name: str, most: int) -> Table:
    """The features of a day: alarms first, then by descending share of their limit."""
    columns = [
        TableColumn("feature", numeric=False),
        TableColumn("missing", "share of impressions without a value: reference window → day"),
        TableColumn("typical value", "reference window → day"),
        TableColumn("10, 50, 90 %", "quantiles of the day", numeric=False),
        TableColumn("drift", "Jensen–Shannon divergence from the reference window, in bits"),
        TableColumn("limit"),
        TableColumn("share of limit"),
    ]
    features = sorted(record.features, key=lambda f: (-f.weight, -_share(f)))
    return limited(name, columns, [tuple(_feature_cells(f)) for f in features], max(1, most))


def days_table(records: Sequence[DayRecord]) -> Table:
    """All days, the newest first."""
    columns = [
        TableColumn("day", numeric=False),
        TableColumn("recorded by", numeric=False),
        TableColumn("model", numeric=False),
        TableColumn("impressions"),
        TableColumn("alarms"),
        TableColumn("what", numeric=False),
    ]
    rows = [
        (
            text_cell(record.day),
            text_cell(record.source),
            text_cell(record.version or "not pushed"),
            TableCell(count(record.rows), record.rows),
            TableCell(str(len(record.alarms)), len(record.alarms), tone="bad" if record.alarms else ""),
            text_cell(", ".join(alarm.split(":")[0] for alarm in record.alarms)),
        )
        for record in reversed(records)
    ]
    return limited("days", columns, rows)


def _sentence(record: DayRecord) -> str:
    if record.alarms:
        return f"{record.day}: {plural(len(record.alarms), 'alarm')}."
    return f"{record.day}: everything within its limits."


def _feature_cells(feature: FeatureHealth) -> Iterator[TableCell]:
    share = _share(feature)
    tone: Tone = "bad" if feature.alarm else "warn" if share > 0.5 else ""
    shown = percent if feature.what.startswith("share") else significant
    yield TableCell(feature.feature, feature.feature, feature.alarm.split(":")[0] if feature.alarm else "", tone)
    yield TableCell(
        f"{percent(feature.usually_missing)} → {percent(feature.missing)}", feature.missing - feature.usually_missing
    )
    typical = f"{shown(feature.usually_typical)} → {shown(feature.typical)}"
    yield TableCell(typical, feature.typical, one_line(feature.what))
    yield text_cell(", ".join(significant(q) for q in feature.quantiles))
    yield TableCell(number(feature.distance, 4), feature.distance)
    yield TableCell(number(feature.limit, 3), feature.limit)
    yield (
        TableCell(percent(share, 0), share, tone=tone, bar=min(1.0, share))
        if feature.limit
        else TableCell(number(None))
    )


def _share(feature: FeatureHealth) -> float:
    return feature.distance / feature.limit if feature.limit else 0.0
