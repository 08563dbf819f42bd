"""Beam on this machine with workers in separate processes, and the command of such a process.

Beam's own `--direct_running_mode=multi_processing` does not pass the pipeline's options to its workers. So TFX cannot
be imported in them before TFDV, which is required (see `pipeline.beam`). With TFDV 1.21 from PyPI, Beam's own mode will
work, and this module can be removed.
"""

import shlex
import sys
from pathlib import Path

from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class WorkerProcesses(FnApiRunner):
    """Beam's in-process runner with `--direct_num_workers` worker processes, which are started for every pipeline."""

    def __init__(self) -> None:
        root = shlex.quote(str(PROJECT_ROOT))
        python = shlex.quote(sys.executable)
        # Workers unpickle functions of this project, whatever their working directory is.
        command = f'PYTHONPATH={root}"${{PYTHONPATH:+:$PYTHONPATH}}" exec {python} -m pipeline.beam_workers'
        super().__init__(default_environment=SubprocessSDKEnvironment.from_command_string(command))


def main() -> None:
    """Works for the runner that started this process until the runner is done."""
    import tfx  # noqa: F401 - for the side effects of the import
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
