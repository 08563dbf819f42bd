"""Losses that look at a whole session, beside the cross entropy of each impression."""
