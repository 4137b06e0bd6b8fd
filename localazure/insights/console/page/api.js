// The console's own API: answers as JSON, refusals as errors, and what changes as events.

async function answered(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = new Error(body.error?.message || `the console answered ${response.status}`);
    Object.assign(error, { status: response.status, line: body.error?.line, column: body.error?.column });
    throw error;
  }
  return body;
}

export async function get(name, parameters, signal) {
  const query = new URLSearchParams(parameters || {});
  return answered(await fetch(`/console/api/${name}?${query}`, { signal }));
}

export async function post(name, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return answered(await fetch(`/console/api/${name}`, { method: "POST", headers, body: JSON.stringify(body), signal }));
}

/** Be told of what is watched until the signal is aborted. `handlers`: name → what is called with the news. */
export function watch(handlers, signal) {
  const names = Object.keys(handlers);
  const source = new EventSource(`/console/api/live?watch=${names.join(",")}`);
  const light = document.getElementById("live");
  const state = (on) => {
    light.classList.toggle("on", on);
    light.title = on ? "live" : "not connected";
  };
  source.onopen = () => state(true);
  source.onerror = () => state(false);
  for (const name of names) {
    source.addEventListener(name, (event) => handlers[name](JSON.parse(event.data)));
  }
  const close = () => { source.close(); state(false); };
  if (signal.aborted) close();
  else signal.addEventListener("abort", close);
}

/** At most once in so many milliseconds, and again afterwards where it was called meanwhile. */
export function seldom(milliseconds, work, signal) {
  let busy = false;
  let again = false;
  const run = async () => {
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    try {
      await work();
    } finally {
      setTimeout(() => {
        busy = false;
        if (again && !signal.aborted) run();
      }, milliseconds);
    }
  };
  return run;
}
