/* Makes the memory snapshot: `node snapshot.mjs STAGE OUT`.
 *
 * STAGE is a folder with the Python packages to bring along, as their sources. OUT receives
 * `snapshot.bin` (see browser/snapshot-format.js), `snapshot.json`, what is known about it, and
 * `shelf/`, the compiled code of each pattern, which is not in the picture.
 *
 * Theory of operation: three interpreters, one after the other.
 *
 * 1. The recorder has the whole standard library. It imports everything (inside/record.py), notes
 *    which modules that took, and compiles those without what no reader needs.
 * 2. The model sitter starts from these compiled modules and nothing else, imports them, forgets
 *    its files (inside/settle.py), and holds still. What is free in its heap is overwritten with
 *    zeros. Its heap is the image.
 * 3. The understudy is restored from the image, as a browser will do it. What its heap held just
 *    before is a fresh instance; pages that equal it need not be stored. It lives in another world,
 *    with other entropy, another time and another name, as a browser will be: pages that depend on
 *    such things differ from the image's, and so are stored.
 *
 * Why pages that differ, and not the whole heap: the whole heap repeats the data segments of the
 * WebAssembly, which every reader downloads anyway. This rests on a fresh heap in a browser being
 * the same as one in Node. `heapSha256` is the hash of the whole restored heap; a browser test
 * compares it.
 */

import { startWorld } from "./deterministic.mjs";

import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { packageFolder } from "./bundle.mjs";
import { readSnapshot, writeSnapshot } from "./browser/snapshot-format.js";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const PYODIDE = packageFolder("pyodide");
const { loadPyodide, version } = await import(path.join(PYODIDE, "pyodide.mjs"));
const { default: createModule } = await import(path.join(PYODIDE, "pyodide.asm.mjs"));

// A browser allocates this much for a fresh instance. A larger image could not be restored into it.
const HEAP_BYTES_MAX = 30 * 1024 * 1024;
// Smaller pages store less that did not change, and more page numbers: 256 was the least in all.
const PAGE_BYTES = 256;
const SITE = "/lib/python3.14/site-packages";

const inside = (name) => fs.readFileSync(path.join(HERE, "inside", name), "utf8");

/* Strings hash alike everywhere. Entropy, clock and program name are the same in the same world. */
function start(options, world = 0) {
  startWorld(world);
  const _sysExecutable = `./this.program${world || ""}`;
  return loadPyodide({ env: { PYTHONHASHSEED: "0" }, _sysExecutable, ...options });
}

/* Copies a folder into a sandbox's file system, without the files that `wanted` rejects. */
function copyIn(FS, from, to, wanted = () => true) {
  FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true }).sort(byName)) {
    const [source, target] = [path.join(from, entry.name), `${to}/${entry.name}`];
    if (entry.isDirectory()) copyIn(FS, source, target, wanted);
    else if (wanted(entry.name)) FS.writeFile(target, fs.readFileSync(source));
  }
}

function copyOut(FS, from, to) {
  fs.mkdirSync(to, { recursive: true });
  for (const name of FS.readdir(from).filter((name) => !name.startsWith("."))) {
    fs.writeFileSync(path.join(to, name), FS.readFile(`${from}/${name}`));
  }
}

function copyWithinSandboxes(from, source, to, target) {
  to.mkdirTree(target);
  for (const name of from.readdir(source).sort()) {
    if (name === "." || name === "..") continue;
    const [a, b] = [`${source}/${name}`, `${target}/${name}`];
    if (from.isDir(from.stat(a).mode)) copyWithinSandboxes(from, a, to, b);
    else to.writeFile(b, from.readFile(a));
  }
}

const byName = (a, b) => (a.name < b.name ? -1 : 1);

/* Defines the functions of a file of inside/ in a namespace of its own, and returns that. */
function load(python, name) {
  const namespace = python.toPy({ __name__: name });
  python.runPython(inside(name), { globals: namespace, filename: name });
  return namespace;
}

async function record(stage) {
  const python = await start({});
  copyIn(python.FS, stage, SITE);
  const script = load(python, "record.py");
  const json = python.runPython("record('/stdlib.zip', '/compiled', '/shelf')", { globals: script });
  return { ...JSON.parse(json), FS: python.FS };
}

async function sit(recording, stage, scratch) {
  const stdlib = path.join(scratch, "stdlib.zip");
  fs.writeFileSync(stdlib, recording.FS.readFile("/stdlib.zip"));
  const python = await start({ _makeSnapshot: true, stdLibURL: stdlib });
  // Templates and the like, which modules read while they are imported. Sources stay behind.
  copyIn(python.FS, stage, SITE, (name) => !name.endsWith(".py"));
  copyWithinSandboxes(recording.FS, "/compiled", python.FS, SITE);
  const script = load(python, "settle.py");
  script.set("names_json", JSON.stringify(recording.names));
  python.runPython("import_recorded(names_json); settle(names_json)", { globals: script });
  script.destroy();
  // What is in the picture stays for good: the reader's collector need not look at it again.
  python.runPython("import gc\nwhile gc.collect(): pass\ngc.freeze()\ndel gc");
  zeroFreeMemory(python._module);
  return { image: photograph(python), stdlib };
}

/* Allocates all that can be had without growing the heap, in blocks of falling size, and clears
 * it. What is left of dead objects would otherwise be downloaded by everyone. */
function zeroFreeMemory(module) {
  const held = [];
  for (let size = 1 << 20; size >= 8; size >>= 1) {
    for (;;) {
      const top = module._sbrk(0);
      const block = module._malloc(size);
      if (block === 0) break;
      if (module._sbrk(0) !== top) {
        module._free(block);
        break;
      }
      module.HEAPU8.fill(0, block, block + size);
      held.push(block);
    }
  }
  for (const block of held) module._free(block);
}

/* Takes Pyodide's image apart: a header of 48 bytes, its record of JavaScript objects, the heap. */
function dissect(image) {
  const words = new Uint32Array(image.buffer, image.byteOffset, 12);
  const [, heapAt, configBytes] = words;
  const config = JSON.parse(new TextDecoder().decode(image.subarray(48, 48 + configBytes)));
  const hex = (word) => word.toString(16).padStart(8, "0");
  const buildId = Array.from(words.subarray(4, 12), hex).join("");
  return { heap: image.subarray(heapAt), config, buildId };
}

function checkSize(heap) {
  if (heap.length <= HEAP_BYTES_MAX) return;
  throw new Error(
    `The heap grew to ${heap.length} bytes, past the initial ${HEAP_BYTES_MAX}: a browser could ` +
      "not restore it. Import less, or make smaller tables while modules are imported.",
  );
}

/* Pyodide's picture of its heap. It refuses where Python holds an object of this very Node. */
function photograph(python) {
  try {
    return python.makeMemorySnapshot();
  } catch (error) {
    throw new Error(
      "Python holds a JavaScript object, which no snapshot can keep. A module that is imported " +
        "reaches for `js` at its top level.",
      { cause: error },
    );
  }
}

/* Restores the image as a browser does; returns what is to be stored. */
async function understudy(image, parts, stdlib) {
  let fresh;
  const options = {
    _loadSnapshot: image.slice(),
    stdLibURL: stdlib,
    createPyodideModule: async (settings) => {
      const module = await createModule(settings);
      fresh = module.HEAPU8.slice();
      return module;
    },
  };
  const python = await start(options, 1);
  const ready = python.runPython(`${inside("bridge.py")}\nsim_call("", "")`);
  if (ready !== "ready") throw new Error(`The restored Python answered ${ready}.`);
  const bytes = writeSnapshot(parts.heap, fresh, { ...parts, pageBytes: PAGE_BYTES });
  readSnapshot(bytes.slice().buffer).writeTo(fresh);
  if (Buffer.compare(fresh, parts.heap) !== 0) {
    throw new Error("The stored pages do not restore the heap.");
  }
  return bytes;
}

async function main([stage, out]) {
  const recording = await record(stage);
  copyOut(recording.FS, "/shelf", path.join(out, "shelf"));
  const { image, stdlib } = await sit(recording, stage, out);
  const parts = dissect(image);
  checkSize(parts.heap);
  const bytes = await understudy(image, parts, stdlib);
  const { info } = JSON.parse(fs.readFileSync(path.join(PYODIDE, "pyodide-lock.json"), "utf8"));
  const facts = {
    heapSha256: crypto.createHash("sha256").update(parts.heap).digest("hex"),
    heapBytes: parts.heap.length,
    modules: recording.modules,
    // Pyodide wants a list of packages. It checks that the list was made for it; ours is empty.
    pyodide: { version, lock: { info, packages: {} } },
  };
  fs.writeFileSync(path.join(out, "snapshot.bin"), bytes);
  fs.writeFileSync(path.join(out, "snapshot.json"), JSON.stringify(facts));
}

// Node would quote the line that threw, and Pyodide is one line of a megabyte.
await main(process.argv.slice(2)).catch((error) => {
  const cause = error.cause ? `\n${error.cause.message}` : "";
  fs.writeSync(process.stderr.fd, `${error.message}${cause}\n`);
  process.exitCode = 1;
});
