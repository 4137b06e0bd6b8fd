"""What a person runs against the system: start it, fill it, buy something. Never deployed."""
