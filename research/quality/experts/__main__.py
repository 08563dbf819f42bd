"""`python -m research.quality.experts`: installs the environment that the rival networks run in, 1.3 GB."""

import argparse
from collections.abc import Sequence

from research.quality.experts.environment import python


def main(arguments: Sequence[str] | None = None) -> None:
    """Installs the environment if it is missing, and prints its interpreter."""
    argparse.ArgumentParser(
        prog="python -m research.quality.experts",
        description="Installs the environment of the rival networks (1.3 GB) unless it is there, and prints its "
        "interpreter.",
    ).parse_args(arguments)
    print(python())


if __name__ == "__main__":
    main()
