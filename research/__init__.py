"""Programs that measure prediction quality.

They answer questions about models, such as how well ours ranks compared with others; `research/README.md` lists the
programs. Their libraries are in the dependency group `research`.

`benchmarks` measures cost: time, memory and bytes of the product's own parts, compared with the usual alternative on
the same machine. `research` uses its harness: `benchmarks.harness` (options, figures, JSON), `benchmarks.pages`,
`benchmarks.drawing` and `benchmarks.part_run`. `benchmarks` does not import `research`.
"""
