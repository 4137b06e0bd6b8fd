"""The operator's command line: queues, dead letters, parked events, sagas, long tasks, the audit log. It asks the API and nothing else.

    python -m scripts.operate --help

On one machine it finds the running system and signs the administrator in; elsewhere `--url` says where the API is and
`OPERATE_TOKEN` holds an access token.
"""
