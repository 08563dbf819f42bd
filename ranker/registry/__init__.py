"""The push destination: versions and their manifests, publishing, rollback, retention, and where a training starts."""
