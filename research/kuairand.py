"""The KuaiRand-Pure feed log of the research programs."""

from datetime import date
from pathlib import Path

from rich.console import Console

from datasets.kuairand.cli import main as convert

KUAIRAND_DAYS = tuple(date(2022, 5, day) for day in (1, 2, 3, 4))
"""The held-out days of comparisons of models."""

RAW = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "kuairand_pure"


def converted_kuairand(work: Path, console: Console) -> Path | None:
    """The converted feed log inside `work`, which is created if it does not exist.

    Returns:
        Its folder, or None, with a line on the console, if the raw files are not on this machine.

    Raises:
        RuntimeError: the raw files could not be converted.
    """
    if not RAW.is_dir():
        console.print(f"skipped: {RAW} is not there; it should hold KuaiRand-Pure's files", highlight=False)
        return None
    log = work / "kuairand"
    if not log.is_dir() and convert(["--raw", str(RAW), "--out", str(log)]) != 0:
        raise RuntimeError(f"{RAW}: KuaiRand could not be converted")
    return log
