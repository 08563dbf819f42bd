"""Minimal executors, one of them with Beam."""

from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor, base_executor


class Copier(base_executor.BaseExecutor):
    """Copies its input's file with its parameter `text`, and the names of all parameters, appended."""

    def Do(  # noqa: N802 - TFX spells it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Raises FileNotFoundError if there is no input."""
        [model], [copy] = input_dict["model"], output_dict["copy"]
        found = Path(model.uri, "model.txt").read_text()
        text = f"{found} {exec_properties['text']} {type(model).__name__} {sorted(exec_properties)}"
        Path(copy.uri, "copy.txt").write_text(text)
        copy.set_string_custom_property("copied", f"{model.uri}/model.txt")


class BeamCopier(base_beam_executor.BaseBeamExecutor):
    """Fails immediately, with its input's URI in the message."""

    def Do(  # noqa: N802 - TFX spells it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Raises LookupError."""
        raise LookupError(input_dict["model"][0].uri)
