"""What an order a second needs of each resource, which limit it meets first, and what it costs. See docs/scaling.md."""
