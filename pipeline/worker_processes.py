"""Beam's workers in processes of this machine; `pipeline.beam_workers` says why Beam's own do not do.

With TFDV 1.21 from PyPI, Beam's own mode will work, and this module can be removed.
"""

import shlex
import sys

from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from ranker.identity.code import PROJECT_ROOT


class WorkerProcesses(FnApiRunner):
    """Beam's in-process runner with `--direct_num_workers` worker processes, which are started for every pipeline."""

    def __init__(self) -> None:
        root = shlex.quote(str(PROJECT_ROOT))
        python = shlex.quote(sys.executable)
        # Workers unpickle functions of this project, whatever their working directory is.
        command = f'PYTHONPATH={root}"${{PYTHONPATH:+:$PYTHONPATH}}" exec {python} -m pipeline.beam_workers worker'
        super().__init__(default_environment=SubprocessSDKEnvironment.from_command_string(command))
