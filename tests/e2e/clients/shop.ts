// Shops with the client that was made of the API's document, as an engineer who has nothing else would.
// Prints one JSON object: the ids of the orders and what became of them.
import { setTimeout as pause } from "node:timers/promises";
import { client } from "./client/client.gen";
import { cartsOpen, cartsSetLine, ordersCancel, ordersGet, ordersList, ordersPlace, productsGet, productsList } from "./client/sdk.gen";
import type { OrderView, PlaceOrder } from "./client/types.gen";

const [gateway, token, key, sku] = process.argv.slice(2);
client.setConfig({ baseUrl: gateway, auth: () => token });

const address = { name: "A. Shopper", line1: "1 Market Street", city: "London", postal_code: "EC1A 1AA", country: "GB" } as const;

/** Asks again until it holds: news of a product or a cart take a moment from service to service. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end; await pause(50)) {
    const found = await ask();
    if (found !== undefined) return found;
  }
  throw new Error("it did not come to that within a minute");
}

async function place(body: PlaceOrder, idempotencyKey: string): Promise<OrderView> {
  return until(async () => {
    const { data, error } = await ordersPlace({ body, headers: { "Idempotency-Key": idempotencyKey, "Ocp-Apim-Subscription-Key": key } });
    if (error && !/:(unknown-sku|cart-not-found|cart-version)$/.test(error.type)) throw new Error(JSON.stringify(error));
    return data;
  });
}

const listed = await until(async () => {
  const { data } = await productsList({ query: { category: "tests", limit: 100 } });
  return data?.items.find((product) => product.sku === sku);
});
const { data: product } = await productsGet({ path: { sku }, throwOnError: true });
if (product.price.amount !== listed.price.amount) throw new Error("the list and the product differ");

const { data: cart } = await cartsOpen({ throwOnError: true });
const { data: filled } = await cartsSetLine({ path: { cart_id: cart.id, sku }, body: { quantity: 2 }, throwOnError: true });
const ofCart: PlaceOrder = {
  cart_id: cart.id,
  cart_version: filled.version,
  expected_total: { amount: 2 * product.price.amount, currency: product.price.currency },
  shipping_address: address,
  payment_method: "pm_card_visa",
};
const placed = await place(ofCart, `cart-${cart.id}`);
const confirmed = await until(async () => {
  const { data } = await ordersGet({ path: { order_id: placed.id }, throwOnError: true });
  return data.status === "placed" ? undefined : data;
});

const direct = await place(
  { items: [{ sku, quantity: 1 }], shipping_address: address, payment_method: "pm_card_visa" },
  `direct-${cart.id}`,
);
const { data: cancelled, error: late } = await ordersCancel({ path: { order_id: direct.id } });
const page = await until(async () => {
  const { data } = await ordersList({ query: { limit: 100 }, throwOnError: true });
  return data.items.some((order) => order.id === direct.id) ? data : undefined;
});

console.log(
  JSON.stringify({
    confirmed: [confirmed.id, confirmed.status, confirmed.history.at(-1)?.status],
    cancelled: [direct.id, cancelled?.status ?? late?.type],
    listed: page.items.map((order) => order.id),
  }),
);
