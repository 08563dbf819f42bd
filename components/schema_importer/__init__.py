"""SchemaImporter: a curated schema of this project → a Schema artifact."""
