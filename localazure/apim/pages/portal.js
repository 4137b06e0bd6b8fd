"use strict";
// The portal: who is signed in, what is called with which key, and what an error means. The viewer below does the rest.

const settings = JSON.parse(document.getElementById("settings").textContent);
const kept = window.sessionStorage;
const at = (id) => document.getElementById(id);

function text(id, words) {
  at(id).textContent = words;
}

function claims(token) {
  const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))));
}

function session() {
  const found = JSON.parse(kept.getItem("session") || "null");
  return found && found.until > Date.now() ? found : null;
}

function show() {
  const signed = session();
  text("sign-in", signed ? "Sign out" : "Sign in");
  at("sign-in").classList.toggle("quiet", Boolean(signed));
  at("who").textContent = signed ? `Signed in as ${signed.name}` : "";
  if (!at("account")) return;
  at("account").hidden = !signed;
  if (!signed) return;
  text("until", new Date(signed.until).toLocaleTimeString());
  const words = signed.scopes.map((scope) => Object.assign(document.createElement("li"), { textContent: settings.scopes[scope] || scope }));
  at("scopes").replaceChildren(...words);
}

// Authorization code with PKCE (RFC 7636), in a window of its own, which hands the code back.
function random() {
  return encoded(crypto.getRandomValues(new Uint8Array(32)));
}

function encoded(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

async function signIn() {
  const opened = window.open("about:blank", "sign-in", "width=520,height=640");
  if (!opened) return explain({ title: "Nobody was signed in", detail: "the browser keeps this page from opening a window; allow it, and try again" });
  const verifier = random(), state = random(), back = `${location.origin}/oauth2-redirect.html`;
  const challenge = encoded(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const scope = ["openid", "profile", ...Object.keys(settings.scopes)].join(" ");
  const asked = { client_id: settings.client, response_type: "code", redirect_uri: back, scope, state, code_challenge: challenge, code_challenge_method: "S256" };
  const answered = new Promise((resolve) => {
    window.addEventListener("message", function heard(event) {
      if (event.origin !== location.origin || !event.data || event.data.state !== state) return;
      window.removeEventListener("message", heard);
      resolve(event.data);
    });
  });
  opened.location = `${settings.authorize}?${new URLSearchParams(asked)}`;
  const given = await answered;
  if (!given.code) return explain({ title: "Nobody was signed in", detail: given.error });
  const form = { grant_type: "authorization_code", client_id: settings.client, code: given.code, redirect_uri: back, code_verifier: verifier };
  const answer = await fetch(settings.token, { method: "POST", body: new URLSearchParams(form) });
  const made = await answer.json();
  if (!answer.ok) return explain({ title: "Nobody was signed in", detail: made.error_description });
  const name = claims(made.id_token).name;
  const scopes = made.scope.split(" ").filter((each) => each in settings.scopes);
  kept.setItem("session", JSON.stringify({ token: made.access_token, until: Date.now() + 1000 * made.expires_in, name, scopes }));
  show();
}

function signOut() {
  kept.removeItem("session");
  show();
}

function explain(problem) {
  text("problem", problem.title + ": ");
  text("detail", problem.detail || "");
  text("code", problem.type || "");
  at("explained").hidden = false;
}

at("sign-in").addEventListener("click", () => (session() ? signOut() : signIn()));
at("understood").addEventListener("click", () => { at("explained").hidden = true; });
show();

// Values that work as they are: each page has a key of its own for what is to be repeated, and asks for no version.
function prepared(definition) {
  for (const operation of Object.values(definition.paths).flatMap(Object.values)) {
    for (const parameter of operation.parameters || []) {
      if (parameter.name === "Idempotency-Key" && parameter.required) parameter.example = crypto.randomUUID();
      if (parameter.in === "header" && !parameter.required) delete parameter.example;
    }
  }
  return definition;
}

function withDemand(Path, system) {
  const element = system.React.createElement;
  return (properties) => {
    const security = properties.operationProps.get("security");
    const wanted = security ? security.toJS().flatMap((each) => Object.values(each).flat()) : [];
    const words = wanted.length ? `sign in: ${wanted.map((scope) => scope.split("/").pop()).join(", ")}` : "anyone";
    return element(system.React.Fragment, null, element(Path, properties), element("span", { className: "demanded" }, words));
  };
}

async function view() {
  const definition = prepared(await (await fetch("/openapi.json")).json());
  const key = at("key");
  key.value = kept.getItem("key") || "";
  key.addEventListener("input", () => kept.setItem("key", key.value.trim()));
  window.ui = SwaggerUIBundle({
    spec: definition,
    dom_id: "#portal",
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    plugins: [{ wrapComponents: { authorizeBtn: () => () => null, authorizeOperationBtn: () => () => null, OperationSummaryPath: withDemand } }],
    requestInterceptor: (request) => {
      const signed = session();
      if (new URL(request.url, location.href).origin !== location.origin) return request;
      if (signed) request.headers.Authorization = `Bearer ${signed.token}`;
      if (key.value.trim() && !request.headers[settings.key]) request.headers[settings.key] = key.value.trim();
      return request;
    },
    responseInterceptor: (answer) => {
      at("explained").hidden = true;
      if (answer.status >= 400 && answer.obj && answer.obj.type) explain(answer.obj);
      return answer;
    },
  });
}

if (at("portal")) view();
