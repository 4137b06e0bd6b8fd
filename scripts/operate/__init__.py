"""The operator's command line. It asks the API and nothing else.

    python -m scripts.operate --help

On one machine it finds the running system and signs the administrator in; elsewhere `--url` says where the API is and
`OPERATE_TOKEN` holds an access token.
"""
