"""Programs that measure prediction quality.

They answer questions about models: the quality of ours compared with others (`quality`), the effect of a single choice
(`studies`), cost and quality of continuing from yesterday's model (`retraining`). Their libraries are in the dependency
group `research`.

`benchmarks` measures cost: time, memory and bytes of the product's own parts, compared with a rival on the same
machine. `research` uses its harness: `benchmarks.harness` (options, figures, JSON), `benchmarks.pages`,
`benchmarks.drawing` and `benchmarks.part_run`. `benchmarks` does not import `research`.
"""
