"""The page that compares two models on the same impressions."""
