"""Orders: what was bought, at which price, and whether it goes through. Owns the order saga."""
