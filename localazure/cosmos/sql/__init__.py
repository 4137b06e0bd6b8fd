"""Cosmos DB's SQL: a grammar, and expressions compiled to functions."""
