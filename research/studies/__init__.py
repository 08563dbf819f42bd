"""Studies of single choices in the towers' training: each variant is trained several times on the same forest and rows.

- `studies.py`: what is compared in each study.
- `preparing.py`: the rows and the forest of a held-out day, on disk.
- `training.py`: one variant, one seed, one day → probabilities.
- `running.py`: all of them, in several processes, kept on disk.
- `measuring.py`: metrics, and how far they move from seed to seed.
- `page.py`, `conclusions.py`: tables, figures for the JSON, and what they say.
"""
