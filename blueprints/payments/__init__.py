"""Payments: one authorisation and at most one capture for each order, whatever is repeated or late."""
