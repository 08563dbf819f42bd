"""Studies of single choices in the towers' training: each variant is trained several times on the same forest and rows.

- `studies.py`: the variants of each study.
- `preparing.py`: the rows and the forest of a held-out day, on disk.
- `training.py`: one variant, one seed, one day → probabilities.
- `running.py`: all of them, in several processes, stored on disk.
- `measuring.py`: metrics, and their standard deviation over the seeds.
- `comparisons.py`: each variant compared with its base, as tables and as figures for the JSON.
- `variance.py`: the same for the variance study.
- `page.py`: all tables, and the picture of the variance study.

    uv run python -m research.studies STUDY [--quick] [--data kuairand feed] [--json FILE] [--page FILE]
"""
