"""Inventory: how many pieces there are, and for which order each of them is held."""
