/* The first thing that runs in the worker: prepares the place for PyScript and for Pyodide.
 *
 * Everything that the worker needs arrives in messages from the page (see page.js), which has
 * fetched it in whatever way its address allows. So the worker itself never touches the network,
 * and is the same over HTTP, from disk, and in a sandboxed frame. Two habits of the two programs
 * that run here stand in the way of that, and are answered in turn:
 *
 * 1. Pyodide refuses classic workers, which it recognizes by `importScripts`. Module workers do
 *    not start from disk in Chromium. This is a classic worker whose `importScripts` throws.
 * 2. Pyodide fetches its WebAssembly and its standard library, and PyScript imports Pyodide, from
 *    addresses. They are handed over instead: `simInterpreter` is what PyScript imports (the build
 *    puts it there, see bundle.mjs), `answerRequests` and `loadFromSnapshot` do the rest.
 *
 * The page and this file speak in messages with a field `sim`; PyScript's own are left alone.
 */

import { gunzip, sha256 } from "./bytes.js";
import { readSnapshot } from "./snapshot-format.js";

const FAR_AWAY = "sim://runtime/";
const EMPTY_ZIP = Uint8Array.from([0x50, 0x4b, 5, 6, ...new Array(18).fill(0)]);

/* Kinds: `fault` and `digest`. */
const tell = (kind, detail) => self.postMessage({ sim: kind, detail });

/* ---- 1. A worker that looks like a module worker with an ordinary address ----------------- */

function redefine(name, value) {
  Object.defineProperty(self, name, { configurable: true, value });
}

redefine("location", new URL(FAR_AWAY));
redefine("importScripts", () => {
  throw new TypeError("This worker imports modules only.");
});

self.addEventListener("unhandledrejection", ({ reason }) => tell("fault", String(reason)));

/* ---- 2. What the page hands over ----------------------------------------------------------- */

/* One promise for each named part; the page sends them in the order in which they arrive. */
const parts = new Map();

function slot(name) {
  if (!parts.has(name)) {
    let resolve;
    const promise = new Promise((settle) => (resolve = settle));
    parts.set(name, { promise, resolve });
  }
  return parts.get(name);
}

const part = (name) => slot(name).promise;

self.addEventListener("message", (event) => {
  const { sim, name, value } = event.data ?? {};
  if (sim === undefined) return;
  event.stopImmediatePropagation();
  if (sim === "part") slot(name).resolve(value);
  if (sim === "digest") reportDigest();
});

/* A module of Pyodide: from the worker's own text where the page may not fetch (see classic.js), else
 * imported.
 *
 * The address comes first: it needs no permission in a content security policy, and browsers cache
 * the compiled code. The text is for pages that load this site's files from another origin, which
 * did not let them be fetched. */
async function moduleOf(name) {
  const own = self.simModules?.[name];
  if (own) return own();
  const { address, bytes } = await part(name);
  if (address) {
    try {
      return await import(address);
    } catch {
      // Refused: the text is the same module.
    }
  }
  const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/* While Pyodide starts, answers its two requests and its instantiation from what is at hand. */
function answerRequests() {
  const { fetch } = self;
  const { instantiateStreaming } = WebAssembly;
  self.fetch = async (address) => {
    const name = String(address).split("/").pop();
    if (name === "pyodide.asm.wasm") return new Response();
    if (name === "python_stdlib.zip") return new Response(EMPTY_ZIP);
    throw new TypeError(`The simulations need no network, and something asked for ${address}.`);
  };
  WebAssembly.instantiateStreaming = async (_, imports) => {
    const module = await part("wasm");
    return { module, instance: await WebAssembly.instantiate(module, imports) };
  };
  return () => {
    self.fetch = fetch;
    WebAssembly.instantiateStreaming = instantiateStreaming;
  };
}

let heapDigest = Promise.reject(new Error("No digest of the heap was asked for at the start."));
heapDigest.catch(() => {});

/* Keeps a promise of the SHA-256 of the heap as it is right after the restore. */
function startDigest(heap) {
  heapDigest = sha256(heap.slice()).then((digest) => {
    if (digest) return digest;
    throw new Error("Hashing needs a secure context: HTTPS, or this machine.");
  });
  heapDigest.catch(() => {});
}

async function reportDigest() {
  const answer = await heapDigest.then(
    (digest) => ({ digest }),
    (error) => ({ error: error.message }),
  );
  tell("digest", answer);
}

/* Pyodide's own loader, run with a memory image in place of an initialization.
 *
 * `_loadSnapshot` takes an image of the whole heap. Ours is stored as the pages that differ from a
 * fresh instance, so Pyodide gets an untouched buffer of the right size, and its `restoreSnapshot`
 * is replaced by one that writes those pages. */
async function loadFromSnapshot(options, { pyodide, createModule, image, order }) {
  return pyodide.loadPyodide({
    ...options,
    indexURL: FAR_AWAY,
    stdLibURL: `${FAR_AWAY}python_stdlib.zip`,
    lockFileContents: JSON.stringify(order.manifest.pyodide.lock),
    packageBaseUrl: FAR_AWAY,
    _loadSnapshot: new Uint8Array(order.manifest.heapBytes),
    createPyodideModule: async (settings) => {
      const [module, snapshot] = await Promise.all([createModule(settings), image]);
      module.API.restoreSnapshot = () => {
        if (module.API.config.BUILD_ID !== snapshot.buildId) {
          throw new Error("The snapshot was made for another build of Pyodide.");
        }
        snapshot.writeTo(module.HEAPU8);
        if (order.digestHeap) startDigest(module.HEAPU8);
        return snapshot.config;
      };
      return module;
    },
  });
}

/* What PyScript gets where it would import Pyodide: an object like the module `pyodide.mjs`.
 *
 * Nothing waits for more than it needs: the glue runs while the WebAssembly is still being compiled
 * on the page, and the snapshot is inflated meanwhile. */
self.simInterpreter = async () => {
  const image = part("snapshot").then(({ bytes }) => gunzip(bytes)).then(readSnapshot);
  const [order, pyodide, glue] = await Promise.all([
    part("order"),
    moduleOf("pyodide"),
    moduleOf("glue"),
  ]);
  const { version } = order.manifest.pyodide;
  if (pyodide.version !== version) {
    throw new Error(`Expected Pyodide ${version}, and got ${pyodide.version}.`);
  }
  const loadPyodide = async (options) => {
    const restore = answerRequests();
    try {
      const createModule = glue.default;
      return await loadFromSnapshot(options, { pyodide, createModule, image, order });
    } finally {
      restore();
    }
  };
  return { version, loadPyodide };
};
