// Elements from data. A text becomes a text node and nothing else: what is shown was sent by somebody.

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

export const svg = (tag, properties, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

/** Put children in the place of what an element has. */
export function show(element, ...children) {
  element.replaceChildren();
  return fill(element, null, children);
}

/** Styles by the object model, which the page's policy lets in. */
export function styled(element, styles) {
  Object.assign(element.style, styles);
  return element;
}

/** A fragment of the address: each part of it encoded. */
export const link = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");

/** A table whose cells are texts or elements. `open(row)` makes its rows links: `href` of each row. */
export function table(heads, rows, label) {
  return h("div", { class: "scroll" }, h("table", { "aria-label": label },
    h("thead", null, h("tr", null, heads.map((head) =>
      h("th", { class: head.startsWith("#") ? "number" : null, scope: "col" }, head.replace("#", ""))))),
    h("tbody", null, rows)));
}

export function row(cells, heads, properties) {
  return h("tr", properties, cells.map((cell, place) =>
    h("td", { class: heads[place]?.startsWith("#") ? "number" : null }, cell)));
}

export const empty = (...text) => h("p", { class: "empty" }, text);

export const failure = (error) => h("p", { class: "failure", role: "alert" }, error.message || String(error));

export const chip = (text, kind, title) => h("span", { class: `chip ${kind || ""}`, title }, text);

/** An indented text of any JSON value. */
export const json = (value) => h("pre", { class: "json" }, JSON.stringify(value, null, 2));

export function textOf(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

/** Ask before something is done. Resolves to the fields' values, or to null. */
export function ask(title, text, action, fields = [], leave = "Leave it") {
  return new Promise((resolve) => {
    const inputs = fields.map((field) => field.rows
      ? h("textarea", { rows: field.rows, spellcheck: "false", "aria-label": field.label }, field.value || "")
      : h("input", { type: "text", value: field.value || "", spellcheck: "false", "aria-label": field.label }));
    const close = (values) => { dialog.close(); dialog.remove(); resolve(values); };
    const yes = () => close(Object.fromEntries(fields.map((field, place) => [field.name, inputs[place].value])));
    const dialog = h("dialog", { "aria-label": title, oncancel: () => close(null) },
      h("h2", null, title), h("p", null, text),
      fields.map((field, place) => h("label", null, field.label, inputs[place])),
      h("div", { class: "buttons" },
        leave ? h("button", { type: "button", onclick: () => close(null) }, leave) : null,
        h("button", { type: "button", class: leave ? "act" : null, id: "do-it", onclick: yes }, action)));
    document.body.append(dialog);
    dialog.showModal();
    (inputs[0] || dialog.querySelector("#do-it")).focus();
  });
}

let toast;
/** Say what became of an action. */
export function say(text, kind = "good") {
  toast?.remove();
  toast = h("div", { class: `toast ${kind}`, role: "status" }, text);
  document.body.append(toast);
  const mine = toast;
  setTimeout(() => mine.remove(), 6000);
}
