"""Running the pipeline on one machine: the working folder, the run itself, what the terminal shows, the summary."""
