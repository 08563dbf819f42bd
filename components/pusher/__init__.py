"""Pusher: pushes a blessed model as the next numbered version, atomically."""
