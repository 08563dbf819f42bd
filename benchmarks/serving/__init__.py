"""What serving costs, beside what a user would run instead; `python -m benchmarks.serving --help`."""
