"""Runs the pipeline on Kubeflow Pipelines: `python kubeflow_runner.py --help`."""

import sys
import warnings

if __name__ == "__main__":
    # google-api-core repeats at every import of every client that Python 3.11 will be dropped.
    warnings.filterwarnings("ignore", category=FutureWarning)
    from pipeline.kubeflow.cli import main

    sys.exit(main())
