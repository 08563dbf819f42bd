"""The monitor's page: health over days."""
