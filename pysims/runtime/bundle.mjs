/* Bundles the browser's scripts, PyScript among them: `node bundle.mjs BRIDGE OUT`.
 *
 * OUT receives `page.js` and `editor.js`, classic scripts, and a list of what is in them, `bundled.json`. BRIDGE is the Python file that PyScript's worker runs.
 *
 * `@pyscript/core` is built to be loaded by a page that has <py-config> elements, may fetch more
 * modules from where it was loaded, and lets it choose an interpreter from a CDN. We use one thing
 * of it, `PyWorker`, on pages that have none of that. So these of its modules are replaced while it
 * is bundled; each replacement must find what it replaces, or the build stops:
 *
 *   polyscript worker/xworker.js     holds the worker's minified source as a string. Ours holds the
 *                                    same template, bundled from its source with our prelude in
 *                                    front, and starts a classic worker (see worker-prelude.js).
 *   polyscript interpreters.js       in the worker, imports Pyodide from an address. Ours asks
 *                                    `simInterpreter`, which the prelude defines.
 *   core config.js                   reads <py-config> from the page and loads the plugins that it
 *                                    does not forbid. Ours: no configuration, no plugins.
 *   core stdlib.js                   Python sources that every worker would write to its disk and
 *                                    import first. Our Python does not use them.
 *   @webreflection/idb-map           caches packages in IndexedDB. Third-party frames are denied
 *                                    it, and PyScript then waits for ever. Ours: an empty Map.
 *   polyscript micropython.js, 3rd-party.js and all dynamic imports: not reached, not bundled.
 *   CodeMirror's view                in the editor: its styles become an adopted sheet and no element.
 */

import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { build } from "esbuild";
import { asClassic } from "./browser/classic.js";

const require = createRequire(import.meta.url);
const HERE = path.dirname(fileURLToPath(import.meta.url));
const BROWSER = path.join(HERE, "browser");

/** The folder of an installed npm package, found from its manifest. */
export function packageFolder(name) {
  return path.dirname(require.resolve(`${name}/package.json`));
}

const POLYSCRIPT = path.join(path.dirname(require.resolve("polyscript/package.json")), "esm");
const CORE = path.join(packageFolder("@pyscript/core"), "src");

const REPLACEMENTS = {
  [path.join(CORE, "config.js")]: `
    const none = { config: {}, plugins: async () => [] };
    export const configs = new Map([["py", none], ["mpy", none]]);
    export const relative_url = (url, base = location.href) => new URL(url, base).href;`,
  [path.join(CORE, "stdlib.js")]: `export const stdlib = ""; export const optional = "";`,
  [path.join(POLYSCRIPT, "interpreter/micropython.js")]: `export default { type: "micropython" };`,
  [path.join(POLYSCRIPT, "3rd-party.js")]: `
    export const toml = () => { throw new Error("TOML is not bundled."); };
    export const zip = toml;`,
};

/* Every file that was bundled, for the test of NOTICE. */
const bundled = new Set();

const NO_STORAGE = `
  export default class extends Map {
    constructor() { super(); }
    async sync() {}
    async close() {}
  }`;

function workerModule(source) {
  return `
    import coincident from "coincident/window/main";
    import { before } from ${JSON.stringify(path.join(BROWSER, "classic.js"))};
    const source = ${JSON.stringify(source)};
    const { Worker } = coincident({ transfer: false });
    export default (options) => {
      const url = URL.createObjectURL(new Blob([...before.texts, source], { type: "text/javascript" }));
      return new Worker(url, { ...options, type: "classic" });
    };`;
}

/** Replaces the one place of `text` that reads `from`; stops the build where there is not one. */
function replaceOnce(text, from, to, where) {
  const pieces = text.split(from);
  if (pieces.length !== 2) {
    throw new Error(
      `${where} contains ${JSON.stringify(from)} ${pieces.length - 1} times, not once: ` +
        "PyScript has changed, look again at what is replaced there, and why.",
    );
  }
  return pieces.join(to);
}

/** The esbuild plugin that makes the replacements; `replaced` collects those that were met. */
function replacing(extra, replaced) {
  const replacements = { ...REPLACEMENTS, ...extra };
  return {
    name: "replacing",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /./ }, ({ kind, path: target }) =>
        kind === "dynamic-import" ? { path: target, external: true } : undefined,
      );
      onResolve({ filter: /^polyscript-worker-template$/ }, () => ({
        path: path.join(POLYSCRIPT, "worker/_template.js"),
      }));
      onResolve({ filter: /^@webreflection\/idb-map(\/sync)?$/ }, () => {
        replaced.add("idb-map");
        return { path: "idb-map", namespace: "none" };
      });
      onLoad({ filter: /./, namespace: "none" }, () => ({ contents: NO_STORAGE }));
      onLoad({ filter: /\.js$/ }, ({ path: file }) => {
        const replacement = replacements[file];
        if (replacement === undefined) return undefined;
        replaced.add(file);
        const contents = typeof replacement === "function" ? replacement(file) : replacement;
        return { contents, resolveDir: path.dirname(file) };
      });
    },
  };
}

async function bundleOne(entry, options, extra, expected) {
  const replaced = new Set();
  const result = await build({
    absWorkingDir: BROWSER,
    entryPoints: [path.join(BROWSER, entry)],
    nodePaths: [path.dirname(path.dirname(POLYSCRIPT))],
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    charset: "utf8",
    legalComments: "none",
    target: ["chrome109", "firefox115", "safari16.4"],
    define: { "import.meta.url": '""' },
    logLevel: "error",
    plugins: [replacing(extra, replaced)],
    ...options,
  });
  for (const file of expected) {
    if (replaced.has(file)) continue;
    throw new Error(`Bundling ${entry} never met ${file}: PyScript has changed.`);
  }
  for (const file of Object.keys(result.metafile.inputs)) bundled.add(file);
  return result.outputFiles[0].text;
}

/** The text of PyScript's worker, to be started as a classic worker. */
async function bundleWorker() {
  const interpreters = path.join(POLYSCRIPT, "interpreters.js");
  const handedOver = (file) =>
    replaceOnce(
      fs.readFileSync(file, "utf8"),
      "import(/* webpackIgnore: true */url)",
      "globalThis.simInterpreter()",
      file,
    );
  // The template awaits at its top level, which a classic script cannot: hence the wrapping.
  const text = await bundleOne(
    "pyscript-worker.js",
    { format: "esm" },
    { [interpreters]: handedOver },
    [interpreters, "idb-map"],
  );
  return `(async()=>{${text}})();`;
}

/** Bundles the page's part, PyScript included; returns the text of a classic script. */
export async function bundlePage(bridge) {
  const xworker = path.join(POLYSCRIPT, "worker/xworker.js");
  const expected = [xworker, "idb-map", path.join(CORE, "config.js"), path.join(CORE, "stdlib.js")];
  return bundleOne(
    "page.js",
    { format: "iife", define: { BRIDGE: JSON.stringify(bridge), "import.meta.url": '""' } },
    { [xworker]: workerModule(await bundleWorker()) },
    expected,
  );
}

/** Pyodide's modules must be readable as classic scripts (see classic.js), or the build stops. */
function checkClassics() {
  for (const [name, file] of [["pyodide", "pyodide.mjs"], ["glue", "pyodide.asm.mjs"]]) {
    const text = fs.readFileSync(require.resolve(`pyodide/${file}`), "utf8");
    new vm.Script(asClassic(name, text.replace(/^\/\/# sourceMappingURL=.*$/m, "")), { filename: file });
  }
}

/** Bundles the editor, PyScript's CodeMirror included; returns the text of a classic script. */
export async function bundleEditor() {
  const dist = path.join(packageFolder("@pyscript/core"), "dist");
  const files = fs.readdirSync(dist);
  let sheets = 0;
  const theirs = {
    name: "theirs",
    setup({ onLoad, onResolve }) {
      // Their styles would be an element in the page, which its content security policy forbids.
      onLoad({ filter: /codemirror_view-[^/]*\.js$/ }, ({ path: file }) => {
        const text = fs.readFileSync(file, "utf8");
        sheets += 1;
        return { contents: replaceOnce(text, "!t.head&&t.adoptedStyleSheets", "t.adoptedStyleSheets", file) };
      });
      onResolve({ filter: /^pyscript-codemirror/ }, ({ path: target }) => {
        // Their names end in a hash: codemirror_state-DxSVIxgn.js.
        const stem = `${target.slice("pyscript-".length)}-`;
        const file = files.find((name) => name.startsWith(stem) && name.endsWith(".js"));
        if (!file) throw new Error(`PyScript has no ${stem}*.js any more.`);
        return { path: path.join(dist, file) };
      });
    },
  };
  const text = await bundleOne("editor.js", { format: "iife", plugins: [theirs] }, {}, []);
  if (sheets !== 1) throw new Error("PyScript's CodeMirror has its styles elsewhere now.");
  return text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [bridge, out] = process.argv.slice(2);
  checkClassics();
  fs.writeFileSync(path.join(out, "page.js"), await bundlePage(fs.readFileSync(bridge, "utf8")));
  fs.writeFileSync(path.join(out, "editor.js"), await bundleEditor());
  fs.writeFileSync(path.join(out, "bundled.json"), JSON.stringify([...bundled].sort()));
}
