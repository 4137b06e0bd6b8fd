"""The kit: what every service needs and none owns. It imports no service."""
