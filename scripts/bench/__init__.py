"""Measuring: `python -m scripts.bench` prints one JSON object. `docs/performance.md` says how each figure is got."""
