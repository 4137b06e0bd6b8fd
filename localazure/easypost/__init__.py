"""EasyPost's trackers, as far as a shop needs them that wants to know where its parcels are."""

from __future__ import annotations

from localazure.part import Config, Part, Server


async def _start(config: Config) -> Server:
    from localazure.easypost.wire import start

    return await start(config)


PART = Part(
    name="easypost",
    summary="EasyPost's trackers, with test tracking codes and signed webhooks",
    default_port=12112,
    start=_start,
    options={
        "key": "the API key that is accepted (default EZTK_local)",
        "endpoint": "JSON file of the webhook endpoint",
        "webhook_secret": "signs webhooks (default easypost_local)",
        "webhook_url": "where webhooks are posted (default: nowhere)",
    },
)
