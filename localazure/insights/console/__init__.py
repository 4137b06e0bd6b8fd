"""The console: a live page over everything that runs on this machine, for people."""
