"""HTTP as the services speak it: who is calling, what they send, what they get, and how errors look."""
