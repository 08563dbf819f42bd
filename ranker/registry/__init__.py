"""The push destination: versions, manifests, publishing, rollback, retention, and what a training starts from."""
