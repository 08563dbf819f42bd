"""SchemaImporter: a curated schema of the project → a Schema artifact."""
