"""Stripe's PaymentIntents, as far as a shop with manual capture needs them."""

from __future__ import annotations

from localazure.part import Config, Part, Server


async def _start(config: Config) -> Server:
    from localazure.stripe.wire import start

    return await start(config)


PART = Part(
    name="stripe",
    summary="Stripe's PaymentIntents, refunds, events and signed webhooks",
    default_port=12111,
    start=_start,
    options={
        "key": "the secret API key that is accepted (default sk_test_local)",
        "endpoint": "JSON file of the webhook endpoint, whose enabled_events are the types sent to it",
        "webhook_events": "event types sent to the webhook endpoint, separated by commas, or * for all (default: "
        "payment_intent.amount_capturable_updated, .succeeded, .payment_failed, .canceled, charge.captured, "
        "charge.refunded, charge.dispute.created, .closed)",
        "webhook_secret": "signs webhooks (default whsec_local)",
        "webhook_url": "where webhooks are posted (default: nowhere)",
    },
)
