"""Histories of viewers: the newest impressions of earlier days, for the columns that a feed log does not have."""
