"""Two trained models to serve: the second pass, with the built-in feed's config, and a small first pass.

    uv run python -m benchmarks.serving.prepare --work DIR [--quick]

It runs in a separate process, so that the later measurements share nothing with the training.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from benchmarks.harness import run_program
from datasets.synthetic import generate
from pipeline_config import FEED, FIRST_PASS
from ranker.command_line import local_path
from ranker.config.pipeline import PipelineConfig
from ranker.files import write_text
from ranker.startup_lines import without_startup_lines

_ROWS, _QUICK_ROWS = 80_000, 6_000
_QUICK_TREES = 60
_FILE = "prepared.json"
_PARTS = ("examples", "schema", "transform_graph", "transformed_examples", "forest", "model")


@dataclass(frozen=True)
class PreparedModel:
    """Folders of a model and of the artifacts that it was trained from.

    Attributes:
        examples: FeedLogGen's.
        schema: the feed log's.
        transform_graph, transformed_examples: Transform's.
        forest: ForestTrainer's.
        model: TowerTrainer's SavedModel.
    """

    examples: str
    schema: str
    transform_graph: str
    transformed_examples: str
    forest: str
    model: str


def load(work: Path) -> dict[str, PreparedModel]:
    """Name of the config → its prepared artifacts."""
    return {name: PreparedModel(**parts) for name, parts in json.loads((work / _FILE).read_text()).items()}


def prepared(work: Path, quick: bool, console: Console) -> dict[str, PreparedModel]:
    """Prepares the models, unless the work folder has them.

    Raises:
        RuntimeError: the process failed.
    """
    if not (work / _FILE).exists():
        console.print("preparing: a feed log, and the pipeline up to TowerTrainer for two configs")
        command = [sys.executable, "-m", "benchmarks.serving.prepare", "--work", str(work)]
        done = subprocess.run([*command, *(["--quick"] if quick else [])], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-500:]}\n{done.stderr[-3000:]}")
    return load(work)


def configs(quick: bool) -> dict[str, PipelineConfig]:
    """The second and the first pass, with few trees for a quick run."""
    if not quick:
        return {FEED.name: FEED, FIRST_PASS.name: FIRST_PASS}
    small = replace(FEED, forest=replace(FEED.forest, trees=_QUICK_TREES))
    smaller = replace(FIRST_PASS, forest=replace(FIRST_PASS.forest, trees=_QUICK_TREES // 3))
    return {FEED.name: small, FIRST_PASS.name: smaller}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.prepare", description="Trains the models of the serving benchmark."
    )
    parser.add_argument("--work", type=local_path, required=True, metavar="DIR", help="where they go")
    parser.add_argument("--quick", action="store_true", help="few rows and trees")
    options = parser.parse_args(arguments)
    # Importing TFX takes half a minute, and only this process needs it.
    with without_startup_lines():
        from benchmarks.part_run import run_up_to
    work, rows = options.work, _QUICK_ROWS if options.quick else _ROWS
    days = FEED.train_days + 1
    day = generate(work / "feed_log", days=days, impressions_per_day=rows // days, seed=1)[-1].day
    made = {}
    for name, config in configs(options.quick).items():
        outputs = run_up_to("TowerTrainer", config, work / "feed_log", day, work / name, Console())
        folders = {part: str(outputs[part]) for part in _PARTS}
        made[name] = asdict(PreparedModel(**{**folders, "model": str(Path(folders["model"]) / "Format-Serving")}))
    write_text(work / _FILE, json.dumps(made, indent=1))


if __name__ == "__main__":
    run_program(main)
