"""Accounts: who buys, where they live, and what they agreed to."""
