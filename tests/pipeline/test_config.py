import pipeline.config


def test_every_type_has_an_example() -> None:
    without = [name for name in pipeline.config.__all__ if ">>>" not in (getattr(pipeline.config, name).__doc__ or "")]
    assert without == []
