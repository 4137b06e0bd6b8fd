"""What catalog is: its containers, the events it publishes, and those it hears."""

from __future__ import annotations

from shared.contracts.catalog import ProductChanged
from shared.declaration import Container, Service

SERVICE = Service(
    "catalog",
    containers=(
        Container("products", "sku", indexed=("kind", "category", "sku", "search_text"), expires=True, outbox=True),
    ),
    publishes=(ProductChanged,),
)
