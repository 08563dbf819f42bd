"""`python -m datasets.synthetic`."""

import sys

from datasets.synthetic.cli import main

if __name__ == "__main__":
    sys.exit(main())
