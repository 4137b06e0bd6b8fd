"""Cosmos DB as the services use it: one client a process, conditional writes, the outbox and the inbox."""
