/* The page's side of the runtime: `globalThis.simRuntime.start()` brings up one Python worker.
 *
 * Theory of operation
 *
 *   page                                             worker (PyScript's, see worker-prelude.js)
 *   ----                                             ------
 *   PyWorker() ─────────────────────────────────▶    prelude, then PyScript's template
 *   downloads.js fetches pyodide, glue,
 *   snapshot and wasm, all at once
 *     each, as it arrives ──────────────────────▶    kept under its name
 *                                                    PyScript asks for its interpreter: instance,
 *                                                    memory image, no initialization
 *     ready ◀──────────────────────────────────────  bridge.py exports sim_call
 *   runtime.call(text) ──── sim_call("dispatch") ─▶  pysims.widget.worker.dispatch(text)
 *                      ◀───────────────────────────  text
 *
 * A worker cannot be interrupted without shared memory, which a static site does not get. So every
 * wait has a limit, and the answer to every failure is the same: end the worker, say why, and let
 * the caller start another. The second start downloads nothing and takes a fraction of the first.
 *
 * Nothing here depends on what the page shows: it survives Material's instant navigation.
 */

import { asClassic, before } from "./classic.js";
import { Downloads } from "./downloads.js";
import { Failure } from "./failure.js";
import { createWorker } from "./pyscript.js";

const BOOT_TIMEOUT_MS = 30_000;
const CALL_TIMEOUT_MS = 30_000;
const READY_WORD = "ready";
// The parts that a worker imports.
const MODULES = ["pyodide", "glue"];
// What browsers and Python say when there is no more of it.
const OUT_OF_MEMORY = /out of memory|MemoryError|could not allocate|allocation failed|cannot enlarge/i;

// The build puts the text of inside/bridge.py here.
const BRIDGE_ADDRESS = `data:text/plain,${encodeURIComponent(BRIDGE)}`;

const manifest = globalThis.__simManifest;
const base = new URL(".", document.currentScript.src).href;
const downloads = new Downloads(base, manifest);

function checkBrowser() {
  if (typeof WebAssembly !== "object") throw new Failure("no-webassembly");
  if (typeof Worker !== "function") throw new Failure("no-worker");
  if (typeof DecompressionStream !== "function") {
    throw new Failure("old-browser", "DecompressionStream");
  }
}

/** One worker with Python in it. */
class Runtime {
  constructor(onDeath, callTimeoutMs) {
    this.onDeath = onDeath;
    this.callTimeoutMs = callTimeoutMs;
    this.started = false;
    this.ended = null;
    this.worker = null;
    this.waiting = new Set();
    this.parts = [];
  }

  /* Settles like `promise`, but fails as soon as the worker dies, which it does where nothing has
   * happened after `limitMs`, with `code`. */
  guarded(promise, code, limitMs) {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      const timer = limitMs && setTimeout(() => this.die(new Failure(code)), limitMs);
      const finish = (settle) => (value) => {
        clearTimeout(timer);
        this.waiting.delete(fail);
        settle(value);
      };
      const fail = finish(reject);
      this.waiting.add(fail);
      promise.then(finish(resolve), fail);
    });
  }

  /* Ends the worker and everything that waits for it; tells the caller unless it asked for it. */
  die(failure, { quietly = false } = {}) {
    if (this.ended) return;
    this.ended = failure;
    this.worker?.terminate();
    for (const fail of [...this.waiting]) fail(failure);
    if (this.started && !quietly) this.onDeath(failure);
  }

  /* Parts that arrive before the worker exists wait for it. */
  send(name, value) {
    if (this.worker === null) this.parts.push([name, value]);
    else this.post({ sim: "part", name, value });
  }

  /* PyScript replaces the worker's own method by one that waits until Python is there. */
  post(message) {
    Worker.prototype.postMessage.call(this.worker, message);
  }

  adopt(worker) {
    this.worker = worker;
    if (this.ended) worker.terminate();
    // PyScript would log what we report.
    worker.onerror = () => {};
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.die(this.lost(event.message ?? "its worker failed."));
    });
    worker.addEventListener("messageerror", () => this.die(this.lost("a message was unreadable.")));
    worker.addEventListener("message", ({ data }) => {
      if (data?.sim === "fault") this.die(this.lost(data.detail));
      if (data?.sim === "digest") this.resolveDigest?.(data.detail);
    });
    for (const [name, value] of this.parts.splice(0)) this.send(name, value);
  }

  lost(why) {
    if (OUT_OF_MEMORY.test(why)) return new Failure("out-of-memory", why);
    return new Failure(this.started ? "worker-died" : "worker-failed", why);
  }

  async boot(modules) {
    before.texts = await modules;
    const { worker, python } = await createWorker(BRIDGE_ADDRESS);
    this.adopt(worker);
    await python;
    const word = await worker.sync.sim_call("", "");
    if (word !== READY_WORD) throw new Error(`Python answered ${word}.`);
  }

  /** Calls a function that `pysims.widget.worker` exports; text in, text out. */
  async call(text, name = "dispatch") {
    if (this.ended) throw this.ended;
    const answer = this.worker.sync.sim_call(name, text);
    try {
      return await this.guarded(answer, "call-timeout", this.callTimeoutMs);
    } catch (error) {
      if (error instanceof Failure) throw error;
      const raised = whatWasRaised(error.message);
      // A full heap serves nobody, so this worker ends too.
      if (!error.message.startsWith("Traceback") || raised.startsWith("MemoryError")) {
        this.die(this.lost(raised));
        throw this.ended;
      }
      throw new Failure("call-failed", raised, error);
    }
  }

  /** SHA-256 of the heap right after the restore; needs `digestHeap: true` at the start. */
  async heapDigest() {
    const answered = new Promise((resolve) => (this.resolveDigest = resolve));
    this.post({ sim: "digest" });
    const { digest, error } = await this.guarded(answered, "call-timeout", this.callTimeoutMs);
    if (error) throw new Failure("call-failed", error);
    return digest;
  }

  /** Ends the worker, on purpose: `onDeath` is not called. */
  terminate() {
    this.die(new Failure("terminated"), { quietly: true });
  }
}

/* What was raised, out of a traceback: the first line after the last indented one. */
function whatWasRaised(text) {
  const lines = text.trim().split("\n");
  const lastIndented = lines.findLastIndex((line) => line.startsWith(" "));
  return lines[lastIndented + 1] ?? lines.at(-1).trim();
}

/* A failure while starting, as one of ours: PyScript reports what went wrong in its own words. */
function asFailure(error) {
  if (error instanceof Failure) return error;
  const why = whatWasRaised(String(error?.message ?? error));
  if (OUT_OF_MEMORY.test(why)) return new Failure("out-of-memory", why, error);
  const code = /another build|Expected Pyodide/.test(why) ? "version-mismatch" : "worker-failed";
  return new Failure(code, why, error);
}

/**
 * Starts a worker. Rejects with a Failure, an Error with a `code`, where that cannot be done.
 *
 * onProgress   called with {loaded, total} in bytes
 * onDeath      called with a Failure if the worker ends later, and nobody asked it to
 * digestHeap   true to have `heapDigest()`
 * ...TimeoutMs how long Python may take to start, once downloaded, and to answer a call
 */
async function start(options = {}) {
  const {
    onProgress = () => {},
    onDeath = () => {},
    digestHeap = false,
    bootTimeoutMs = BOOT_TIMEOUT_MS,
    callTimeoutMs = CALL_TIMEOUT_MS,
  } = options;
  checkBrowser();
  const { fetchable } = downloads;
  const runtime = new Runtime(onDeath, callTimeoutMs);
  runtime.send("order", { digestHeap, manifest });
  const texts = new Map();
  const arrives = (name) => new Promise((resolve) => texts.set(name, resolve));
  // Where nothing may be fetched, a worker may import nothing: classic.js.
  const modules = Promise.all(fetchable ? [] : MODULES.map(arrives));
  const booted = runtime.boot(modules);
  booted.catch((error) => runtime.die(asFailure(error), { quietly: true }));
  const onPart = (name, value) => {
    const resolve = texts.get(name);
    if (resolve) resolve(asClassic(name, new TextDecoder().decode(value.bytes)));
    else if (value.address || !MODULES.includes(name)) runtime.send(name, value);
  };
  const loaded = downloads.load(onPart, onProgress);
  try {
    // Downloads watch their own time, so the limit of the start counts from when they are done.
    await runtime.guarded(loaded);
    if (fetchable && !downloads.fetchable) {
      // What was to be fetched came by script, and this worker waits for what it may not import.
      runtime.terminate();
      return start(options);
    }
    await runtime.guarded(booted, "boot-timeout", bootTimeoutMs);
    runtime.started = true;
    return runtime;
  } catch (error) {
    const failure = asFailure(error);
    runtime.die(failure, { quietly: true });
    throw failure;
  }
}

/** The code of a pattern, which a worker needs before it can run it, as text; null if unknown. Loaded anew
 *  for every call, so that what arrived damaged can be asked for again. */
const pattern = (name) => downloads.pattern(name);

/** The sources of a pattern as a page shows them, or null. */
const sources = (name) => downloads.sources(name);

/** The editor (`open`, see editor.js), which is loaded by the first call. */
async function editor() {
  if (!globalThis.simEditor) await downloads.loadEditor();
  return globalThis.simEditor;
}

globalThis.simRuntime = { start, pattern, sources, editor };
