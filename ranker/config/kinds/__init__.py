"""The kinds of columns, one file each: what a config says of a column. `ranker/features` says what is done with it."""
