"""Drafts a config and a schema from a feed log that the project has never seen."""
