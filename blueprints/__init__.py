"""One package per service. They know each other only by the events in `shared.contracts`."""
