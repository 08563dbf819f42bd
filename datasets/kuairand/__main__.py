"""`python -m datasets.kuairand`: see `--help`."""

import sys

from datasets.kuairand.cli import main

if __name__ == "__main__":
    sys.exit(main())
