"""Access to a served feed ranker: a gRPC client, and a server for machines without TensorFlow Serving's image."""
