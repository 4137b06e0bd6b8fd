"""The traces of four orders, span by span: who was asked by whom for what.

An order is priced and let in; its feed starts the saga and tells inventory and payments; their answers wake the saga,
which settles; the others hear what was decided, shipping what there is to ship, and notifications, which does not know
here where to write to. `×2` is a span twice: a query is asked for pages until there is none.
"""

from __future__ import annotations

from tests.e2e.traces import tree

CONFIRMED = tree("""
    orders: POST /v1/orders
      orders: read customers
      orders: read products
      orders: batch customers
      orders: batch orders
      orders: orders_feed order.placed
        orders: create orders-by-customer
        orders: start order_saga
          orders: order_saga
            orders: stock
            orders: payment
            orders: orders_settle
              orders: read orders
              orders: query answers ×2
              orders: batch orders
              orders: orders_feed order.confirmed
                orders: send orders order.confirmed
                  notifications: notifications_on_orders order.confirmed
                    notifications: create mails
                    notifications: read recipients
                    notifications: patch mails
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
          inventory: inventory_on_orders order.placed
            inventory: patch stock
            inventory: batch reservations
            inventory: inventory_feed stock.reserved
              inventory: send inventory stock.reserved
                orders: orders_on_inventory stock.reserved
                  orders: create answers
                  orders: raise stock
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

DECLINED = tree("""
    orders: POST /v1/orders
      orders: read customers
      orders: read products
      orders: batch customers
      orders: batch orders
      orders: orders_feed order.placed
        orders: create orders-by-customer
        orders: start order_saga
          orders: order_saga
            orders: stock
            orders: payment
            orders: orders_settle
              orders: read orders
              orders: query answers ×2
              orders: batch orders
              orders: orders_feed order.cancelled
                orders: raise cancelled
                orders: send orders order.cancelled
                  notifications: notifications_on_orders order.cancelled
                    notifications: create mails
                    notifications: read recipients
                    notifications: patch mails
                  inventory: inventory_on_orders order.cancelled
                    inventory: read reservations
                    inventory: patch stock
                    inventory: batch reservations
                    inventory: inventory_feed stock.released
                      inventory: send inventory stock.released
                        orders: orders_on_inventory stock.released
                          orders: create answers
                  payments: payments_on_orders order.cancelled
                    payments: read payments
        orders: send orders order.placed
          inventory: inventory_on_orders order.placed
            inventory: patch stock
            inventory: batch reservations
            inventory: inventory_feed stock.reserved
              inventory: send inventory stock.reserved
                orders: orders_on_inventory stock.reserved
                  orders: create answers
                  orders: raise stock
          payments: payments_on_orders order.placed
            payments: read payments
            payments: stripe create
            payments: stripe confirm
            payments: batch payments ×2
            payments: payments_feed payment.declined
              payments: send payments payment.declined
                orders: orders_on_payments payment.declined
                  orders: create answers
                  orders: raise payment
""")

TIMED_OUT = tree("""
    orders: POST /v1/orders
      orders: read customers
      orders: read products
      orders: batch customers
      orders: batch orders
      orders: orders_feed order.placed
        orders: create orders-by-customer
        orders: start order_saga
          orders: order_saga
            orders: stock
            orders: orders_look_up
              orders: read orders
              orders: query answers ×2
            orders: orders_settle
              orders: read orders
              orders: query answers ×2
              orders: batch orders
              orders: orders_feed order.cancelled
                orders: raise cancelled
                orders: send orders order.cancelled
                  notifications: notifications_on_orders order.cancelled
                    notifications: create mails
                    notifications: read recipients
                    notifications: patch mails
                  inventory: inventory_on_orders order.cancelled
                    inventory: read reservations
                    inventory: patch stock
                    inventory: batch reservations
                    inventory: inventory_feed stock.released
                      inventory: send inventory stock.released
                        orders: orders_on_inventory stock.released
                          orders: create answers
                  payments: payments_on_orders order.cancelled
                    payments: read payments
                    payments: batch payments
        orders: send orders order.placed
          inventory: inventory_on_orders order.placed
            inventory: patch stock
            inventory: batch reservations
            inventory: inventory_feed stock.reserved
              inventory: send inventory stock.reserved
                orders: orders_on_inventory stock.reserved
                  orders: create answers
                  orders: raise stock
          payments: payments_on_orders order.placed
            payments: read payments ×3
            payments: stripe create
            payments: stripe void
            payments: batch payments
            payments: patch payments
""")
"""The provider answers when the order has long been cancelled: what it then holds is given up."""

CANCELLED = tree("""
    orders: POST /v1/orders
      orders: read customers
      orders: read products
      orders: batch customers
      orders: batch orders
      orders: orders_cancel
        orders: batch orders
        orders: orders_feed order.cancelled
          orders: raise cancelled
          orders: send orders order.cancelled
            notifications: notifications_on_orders order.cancelled
              notifications: create mails
              notifications: read recipients
              notifications: patch mails
            inventory: inventory_on_orders order.cancelled
              inventory: read reservations
              inventory: patch stock
              inventory: batch reservations
              inventory: inventory_feed stock.released
                inventory: send inventory stock.released
                  orders: orders_on_inventory stock.released
                    orders: create answers
            payments: payments_on_orders order.cancelled
              payments: read payments
              payments: batch payments
      orders: orders_feed order.placed
        orders: create orders-by-customer
        orders: start order_saga
          orders: order_saga
            orders: stock
            orders: cancelled
            orders: orders_look_up
              orders: read orders
              orders: query answers ×2
        orders: send orders order.placed
          inventory: inventory_on_orders order.placed
            inventory: patch stock
            inventory: batch reservations
            inventory: inventory_feed stock.reserved
              inventory: send inventory stock.reserved
                orders: orders_on_inventory stock.reserved
                  orders: create answers
                  orders: raise stock
          payments: payments_on_orders order.placed
            payments: read payments ×3
            payments: stripe create
            payments: stripe void
            payments: batch payments
            payments: patch payments
""")
"""As before, but for the shopper's request, whose own trace ends where it finds the order."""

HEARD = tree("""
    payments: payments_on_orders order.placed
      payments: read payments ×2
      payments: stripe create
      payments: stripe confirm
      payments: batch payments
      payments: payments_hear
        payments: batch payments
        payments: payments_feed payment.declined
          payments: send payments payment.declined
            orders: orders_on_payments payment.declined
              orders: create answers
              orders: raise payment
""")
"""Of a declined order, what payments does where the provider's webhook comes ahead of its answer."""
