"""`python -m pipeline.draft`."""

import sys

from pipeline.draft.cli import main

if __name__ == "__main__":
    sys.exit(main())
