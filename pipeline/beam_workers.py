"""Beam on this machine with its workers in processes of their own, and the command of such a process.

Beam's own `--direct_running_mode=multi_processing` starts workers that know nothing of the pipeline's options, so that
TFX cannot be loaded in them before TFDV, which cannot be imported otherwise (see `pipeline.beam`). With TFDV 1.21 from
PyPI, Beam's own mode will do, and this module can go.
"""

import shlex
import sys
from pathlib import Path

from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class WorkerProcesses(FnApiRunner):
    """Beam's in-process runner with workers outside: `--direct_num_workers` of them, anew for every pipeline."""

    def __init__(self) -> None:
        root = shlex.quote(str(PROJECT_ROOT))
        python = shlex.quote(sys.executable)
        # Workers unpickle functions of this project, from wherever they were started.
        command = f'PYTHONPATH={root}"${{PYTHONPATH:+:$PYTHONPATH}}" exec {python} -m pipeline.beam_workers'
        super().__init__(default_environment=SubprocessSDKEnvironment.from_command_string(command))


def main() -> None:
    """Serves the runner that started this process, until it is done."""
    import tfx  # noqa: F401 - for what it does on being imported
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
