/* Makes the snapshot's build repeatable: entropy and clocks become constants.
 *
 * A memory image holds whatever Python read while it started: the seed of the `random` module's
 * global generator, the time stamped into loggers and caches, the names of temporary files. Left
 * alone, two builds of the same sources differ in a few hundred bytes, every content hash changes,
 * and every reader downloads the runtime again after every deployment.
 *
 * Import this module before Pyodide is imported. It answers with a fixed sequence of bytes wherever
 * Emscripten asks for entropy, and with one instant wherever it asks for the time. Nothing of this
 * reaches the reader's browser: there the restored interpreter reads the real clock and the real
 * entropy.
 */

import crypto from "node:crypto";

const FIRST_INSTANT_MS = Date.UTC(2024, 0, 1);

let state = 1;
let instantMs = 0;

/** Fills a view with the next bytes of a linear congruential sequence. */
function fill(view) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  for (let i = 0; i < bytes.length; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    bytes[i] = state >>> 16;
  }
  return view;
}

globalThis.crypto.getRandomValues = fill;
crypto.webcrypto.getRandomValues = fill;
crypto.randomFillSync = fill;
crypto.randomBytes = (size) => fill(Buffer.alloc(size));
Math.random = () => 0.5;
Date.now = () => FIRST_INSTANT_MS + instantMs;
performance.now = () => 1000 + instantMs;

/**
 * Starts the sequence of bytes again. Interpreters started in the same world see the same bytes at
 * the same instant; another world (an integer) has others.
 */
export function startWorld(world) {
  state = 1 + world;
  instantMs = 86_400_000 * world;
}
