"""The Azure Functions host, as far as a Python app of the v2 programming model can tell."""

from __future__ import annotations

from localazure.part import Config, Part, Server


async def _start(config: Config) -> Server:
    from localazure.functions.wire import start

    return await start(config)


PART = Part(
    name="functions",
    summary="Azure Functions host with the Durable extension",
    default_port=7071,
    start=_start,
    options={
        "app": "directory of function_app.py and host.json (default: the current directory)",
        "settings": "the settings file (default: local.settings.json in the app's directory)",
        "instance": "the name of this instance of the app, where several run on the same files (default: 1)",
        "share_port": "yes: the other instances of the app listen on the same port",
        "debug": "a port on which a debugger that speaks its adapter protocol may attach; the app then has one process",
        "recovery": "azure (default): what a killed host held is taken until its time-outs are over; "
        "fast, for tests: it is free at once",
        "secrets": "directory of host keys in files of Azure's form; without host.json in it no key is asked",
    },
)
