/* PyScript, as much of it as starts one worker.
 *
 * bundle.mjs builds it from @pyscript/core with some of its modules replaced (it says which, and
 * why). Two defaults are switched off here, through PyScript's own hooks: the worker hook compiles
 * a function from text, which a content security policy without `unsafe-eval` forbids.
 */

import { PyWorker, hooks } from "@pyscript/core";

hooks.worker.onBeforeRunAsync.clear();
hooks.main.codeBeforeRun.clear();

// Neither is ever fetched. They look like addresses so that PyScript keeps off its CDN.
const OPTIONS = {
  config: {},
  configURL: "sim://runtime/config.txt",
  version: "sim://runtime/pyodide.mjs",
};

// PyScript registers its hooks in a task of its own, and defines this element right after.
const hooksAreRegistered = customElements.whenDefined("py-script");

/* PyScript hands out a new worker through a hook that all workers share, so they queue up here. */
let queue = Promise.resolve();

/**
 * Starts a worker that runs the Python at an address. Resolves as soon as there is a worker, to
 * `{worker, python}`; `python` is a promise that settles when PyScript says it is ready.
 */
export function createWorker(address) {
  const turn = queue.then(() => hooksAreRegistered).then(() => next(address));
  queue = turn.catch(() => {});
  return turn;
}

function next(address) {
  return new Promise((resolve, reject) => {
    const onWorker = (_, worker) => resolve({ worker, python });
    hooks.main.onWorker.add(onWorker);
    const python = PyWorker(address, OPTIONS);
    python.catch(reject);
  }).finally(() => hooks.main.onWorker.clear());
}
