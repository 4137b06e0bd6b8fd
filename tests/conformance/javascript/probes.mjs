// Runs the probes of one script and tells each result as a line of JSON on stdout; `node.py` reads them.
//
// A probe is `probe("what holds", async () => { … })`, with its name as one literal on the line where it begins: pytest
// finds the names without running the script. The script ends with `await run()`. The server's address and whatever
// else a script needs are in the environment.

const PATIENCE = 60_000; // milliseconds for one probe: a client that waits for ever is a failure of its own

const probes = [];
const endings = [];

export function probe(name, body) {
  probes.push({ name, body });
}

/** Work for the end of the script: clients to be closed. */
export function atEnd(body) {
  endings.push(body);
}

/** A name that no other probe has. */
let names = 0;
export function fresh(stem) {
  names += 1;
  return `${stem}-${process.pid}-${names}`;
}

/** The error that the promise (or function) is rejected with; it must be. */
export async function refused(promise) {
  try {
    await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    return error;
  }
  throw new Error("nothing was refused");
}

export async function run() {
  for (const { name, body } of probes) {
    const error = await outcome(body);
    process.stdout.write(`${JSON.stringify({ probe: name, error })}\n`);
  }
  for (const ending of endings) await ending();
}

async function outcome(body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${PATIENCE} ms`)), PATIENCE);
  });
  try {
    await Promise.race([body(), late]);
    return null;
  } catch (error) {
    return `${error?.stack ?? error?.message ?? JSON.stringify(error)}`;
  } finally {
    clearTimeout(timer);
  }
}
