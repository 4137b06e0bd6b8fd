"""The same work on other people's software, on the same machine in the same run: `python -m scripts.bench.peers`."""
