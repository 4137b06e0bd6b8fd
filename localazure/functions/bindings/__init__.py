"""Input and output bindings of data: what is read before a call, and written after it."""
