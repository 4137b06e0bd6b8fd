"""The Durable Task extension. It has no port of its own: as on Azure, it lives inside the Functions host."""
