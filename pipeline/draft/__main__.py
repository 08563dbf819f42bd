"""`python -m pipeline.draft`."""

from pipeline.draft.cli import main
from ranker.command_line import exit_with

if __name__ == "__main__":
    exit_with(main)
