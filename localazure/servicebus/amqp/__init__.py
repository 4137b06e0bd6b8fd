"""AMQP 1.0 on the wire: values, frames, and the sections of messages. Knows nothing of queues."""
