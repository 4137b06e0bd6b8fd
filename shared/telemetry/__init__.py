"""One story per order: trace context that travels, logs that carry it, and spans for who asks for them."""
