"""A pushed model applied to tables: scores, rankings, explanations, an evaluation, and scores of many Parquet files."""
