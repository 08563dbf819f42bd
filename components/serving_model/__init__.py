"""ServingModel: imports the serving model into the pipeline."""
