"""The service letters."""
