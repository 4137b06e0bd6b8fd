"""Catalog: what is for sale, and at which price."""
