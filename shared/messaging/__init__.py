"""Service Bus as the services use it: publish from the outbox, consume with retries, lose nothing."""
