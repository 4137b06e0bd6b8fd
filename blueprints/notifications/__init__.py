"""Notifications: what the shop writes to its customers."""
