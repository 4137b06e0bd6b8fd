"""The traces of four orders, span by span: who was asked by whom for what.

An order is priced and let in; its feed starts the saga and tells inventory and payments; their answers wake the saga,
which settles; the others hear what was decided, shipping what there is to ship, and notifications, which does not know
here where to write to. `×2` is a span twice: a query is asked for pages until there is none. `<…>` is a part that
several share, written out in `PARTS`.
"""

from __future__ import annotations

from tests.e2e.traces import tree

PARTS = {
    "it is priced and let in": """
        orders: read customers
        orders: read products
        orders: batch customers
        orders: batch orders
    """,
    "the facts are looked up": """
        orders: read orders
        orders: query answers ×2
    """,
    "an e-mail is written": """
        notifications: create mails
        notifications: read recipients
        notifications: patch mails
    """,
    "stock is reserved": """
        inventory: inventory_on_orders order.placed
          inventory: batch stock
          inventory: batch reservations
          inventory: inventory_feed stock.reserved
            inventory: send inventory stock.reserved
              orders: orders_on_inventory stock.reserved
                orders: create answers
                orders: raise stock
    """,
    "stock is released": """
        inventory: inventory_on_orders order.cancelled
          inventory: read reservations
          inventory: batch reservations
          inventory: patch stock
          inventory: inventory_feed stock.released
            inventory: send inventory stock.released
              orders: orders_on_inventory stock.released
                orders: create answers
    """,
    "a decline is told": """
        payments: payments_feed payment.declined
          payments: send payments payment.declined
            orders: orders_on_payments payment.declined
              orders: create answers
              orders: raise payment
    """,
    "what the provider holds too late is given up": """
        payments: payments_on_orders order.placed
          payments: read payments ×3
          payments: stripe create
          payments: stripe void
          payments: batch payments
          payments: patch payments
    """,
    "a cancellation is told before there is a payment": """
        orders: orders_feed order.cancelled
          orders: raise cancelled
          orders: send orders order.cancelled
            notifications: notifications_on_orders order.cancelled
              <an e-mail is written>
            <stock is released>
            payments: payments_on_orders order.cancelled
              payments: read payments
              payments: batch payments
    """,
}


def story(text: str) -> str:
    return tree(text, PARTS)


CONFIRMED = story("""
    orders: POST /v1/orders
      <it is priced and let in>
      orders: orders_feed order.placed
        orders: create orders-by-customer
        orders: start order_saga
          orders: order_saga
            orders: stock
            orders: payment
            orders: orders_settle
              <the facts are looked up>
              orders: batch orders
              orders: orders_feed order.confirmed
                orders: send orders order.confirmed
                  notifications: notifications_on_orders order.confirmed
                    <an e-mail is written>
                  inventory: inventory_on_orders order.confirmed
                    inventory: patch reservations
                  payments: payments_on_orders order.confirmed
                    payments: read payments
                    payments: stripe capture
                    payments: batch payments
                    payments: payments_feed payment.captured
                      payments: send payments payment.captured
                        orders: orders_on_payments payment.captured
                          orders: create answers
                  shipping: shipping_on_orders order.confirmed
                    shipping: batch shipments
        orders: send orders order.placed
          <stock is reserved>
          payments: payments_on_orders order.placed
            payments: read payments
            payments: stripe create
            payments: stripe confirm
            payments: batch payments ×2
            payments: payments_feed payment.authorized
              payments: send payments payment.authorized
                orders: orders_on_payments payment.authorized
                  orders: create answers
                  orders: raise payment
""")

DECLINED = story("""
    orders: POST /v1/orders
      <it is priced and let in>
      orders: orders_feed order.placed
        orders: create orders-by-customer
        orders: start order_saga
          orders: order_saga
            orders: stock
            orders: payment
            orders: orders_settle
              <the facts are looked up>
              orders: batch orders
              orders: orders_feed order.cancelled
                orders: raise cancelled
                orders: send orders order.cancelled
                  notifications: notifications_on_orders order.cancelled
                    <an e-mail is written>
                  <stock is released>
                  payments: payments_on_orders order.cancelled
                    payments: read payments
        orders: send orders order.placed
          <stock is reserved>
          payments: payments_on_orders order.placed
            payments: read payments
            payments: stripe create
            payments: stripe confirm
            payments: batch payments ×2
            <a decline is told>
""")

TIMED_OUT = story("""
    orders: POST /v1/orders
      <it is priced and let in>
      orders: orders_feed order.placed
        orders: create orders-by-customer
        orders: start order_saga
          orders: order_saga
            orders: stock
            orders: orders_look_up
              <the facts are looked up>
            orders: orders_settle
              <the facts are looked up>
              orders: batch orders
              <a cancellation is told before there is a payment>
        orders: send orders order.placed
          <stock is reserved>
          <what the provider holds too late is given up>
""")
"""The provider answers when the order has long been cancelled: what it then holds is given up."""

CANCELLED = story("""
    orders: POST /v1/orders
      <it is priced and let in>
      orders: orders_cancel
        orders: batch orders
        <a cancellation is told before there is a payment>
      orders: orders_feed order.placed
        orders: create orders-by-customer
        orders: start order_saga
          orders: order_saga
            orders: stock
            orders: cancelled
            orders: orders_look_up
              <the facts are looked up>
        orders: send orders order.placed
          <stock is reserved>
          <what the provider holds too late is given up>
""")
"""As before, but for the shopper's request, whose own trace ends where it finds the order."""

HEARD = story("""
    payments: payments_on_orders order.placed
      payments: read payments ×2
      payments: stripe create
      payments: stripe confirm
      payments: batch payments
      payments: payments_hear
        payments: batch payments
        <a decline is told>
""")
"""Of a declined order, what payments does where the provider's webhook comes ahead of its answer."""
