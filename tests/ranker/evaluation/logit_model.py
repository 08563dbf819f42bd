"""A real SavedModel that scores an impression by the logits in its example, and examples with logits."""

from pathlib import Path

import tensorflow as tf
from scipy.special import logit

from tests.ranker.evaluation.simulated import OBJECTIVES, Simulated


class LogitModel(tf.Module):
    """Scores an impression by the logits in its example, times `scale` plus `shift`."""

    def __init__(self, objectives: tuple[str, ...], scale: float, shift: float, needs: str | None) -> None:
        super().__init__()
        self._objectives, self._scale, self._shift, self._needs = objectives, scale, shift, needs

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature serving_default."""
        spec = {f"logit_{o}": tf.io.FixedLenFeature([1], tf.float32, 0.0) for o in self._objectives}
        if self._needs:
            spec[self._needs] = tf.io.FixedLenFeature([1], tf.float32)
        parsed = tf.io.parse_example(examples, spec)
        return {o: tf.sigmoid(parsed[f"logit_{o}"] * self._scale + self._shift) for o in self._objectives}


def save_model(
    path: Path,
    objectives: tuple[str, ...] = OBJECTIVES,
    scale: float = 1.0,
    shift: float = 0.0,
    needs: str | None = None,
    signature: str = "serving_default",
) -> None:
    """Writes a LogitModel into `path`, with the layout of a Model artifact."""
    model = LogitModel(objectives, scale, shift, needs)
    tf.saved_model.save(model, str(path / "Format-Serving"), signatures={signature: model.serve})


def write_examples(
    folder: Path, data: Simulated, shards: int = 2, with_feature: str | None = None, on_rows: int = 0
) -> None:
    """Writes the impressions as uncompressed shards of tf.Examples; the first `on_rows` have one more feature."""
    folder.mkdir(parents=True)
    logits = logit(data.probabilities)
    for shard in range(shards):
        with tf.io.TFRecordWriter(str(folder / f"data-{shard:05d}-of-{shards:05d}")) as writer:
            for row in range(shard, data.rows, shards):
                example = tf.train.Example()
                feature = example.features.feature
                feature["viewer_id"].bytes_list.value.append(data.viewers[row])
                feature["session_id"].bytes_list.value.append(data.sessions[row])
                for name, column in data.columns.items():
                    if column[row]:
                        feature[name].bytes_list.value.append(column[row])
                for o, name in enumerate(OBJECTIVES):
                    feature[name].int64_list.value.append(int(data.labels[o, row]))
                    feature[f"logit_{name}"].float_list.value.append(logits[o, row])
                if with_feature is not None and row < on_rows:
                    feature[with_feature].float_list.value.append(1.0)
                writer.write(example.SerializeToString())
