"""What carts is: what it owns, publishes, hears and demands."""

from __future__ import annotations

from shared.contracts.accounts import ErasureStarted, ExportStarted
from shared.contracts.audit import ActRecorded
from shared.contracts.carts import CartChanged
from shared.contracts.catalog import ProductDiscontinued, ProductReinstated
from shared.contracts.personal_data import ErasureAnswered, ExportAnswered
from shared.declaration import Container, Holding, Scope, Service

SERVICE = Service(
    "carts",
    "What a shopper is about to buy.",
    containers=(
        Container("carts", "cart_id", indexed=("customer_id",), expires=True, outbox=True, writes=("batch", "delete")),
        Container("discontinued", "sku", writes=("create", "patch")),
    ),
    publishes=(CartChanged, ErasureAnswered, ExportAnswered, ActRecorded),
    hears={
        "accounts": (ErasureStarted, ExportStarted),
        "catalog": (ProductDiscontinued, ProductReinstated),
    },
    scopes=(Scope("carts.read", "Read your carts"), Scope("carts.write", "Fill your carts")),
    holds=(Holding("carts and what is in them", "erased"),),
)
