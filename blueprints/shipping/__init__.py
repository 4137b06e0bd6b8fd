"""Shipping: what of a confirmed order has left the house, and where it is."""
