"""What services tell each other: one module per publishing service, and the envelope they share.

Each event is published as JSON Schema beside its type, in `schemas/`. A contract only grows: a field may be
added with a default; none is renamed, retyped or taken away. A change that cannot be made so is a new `.v2`.
"""
