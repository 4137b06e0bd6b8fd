"""What takes long, in one shape: started with a 202, read with its progress, cancelled, listed; it survives any crash.

`task.py` is what a task is, `store.py` keeps it in Cosmos DB, `triggers.py` binds both to a service: the orchestrator
that goes from step to step, the activity that does one, the timer that looks after them.
"""
