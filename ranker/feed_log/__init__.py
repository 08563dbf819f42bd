"""The feed log on disk: layout, window, columns, reading, writing and content fingerprint."""
