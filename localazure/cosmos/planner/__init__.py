"""Query plans: how a client is to run a query over all partitions, as the service's gateway answers it."""
