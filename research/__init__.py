"""What models are worth: programs whose result is a statement about prediction quality.

Here belongs what answers a question about models: how well ours predicts compared with others (`quality`), what one
choice in it is worth (`studies`), what continuing from yesterday's model gains and loses (`retraining`). Its
libraries are in the dependency group `research`.

In `benchmarks` belongs what measures cost: time, memory and bytes of the product's own parts, compared with a rival on
the same machine. `research` uses the harness there, which both share: `benchmarks.harness` (options, figures, JSON),
`benchmarks.pages`, `benchmarks.drawing` and `benchmarks.part_run`. `benchmarks` does not import `research`.
"""
