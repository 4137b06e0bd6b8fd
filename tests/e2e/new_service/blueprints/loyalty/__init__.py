"""The service loyalty."""
