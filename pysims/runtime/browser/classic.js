/* Pyodide's two modules as classic scripts, for a worker that can import nothing.
 *
 * A page on disk may not fetch, and a frame in a sandbox has no origin to fetch for. There a worker
 * could import a module only from a blob: or a data: address, which a content security policy would
 * have to allow for scripts, data: for anybody's markup as well; and WebKit, from disk, refuses
 * blobs altogether. So there the modules come with the worker's own text, each as a function that
 * is called when PyScript asks for the module. `before` holds what the next worker begins with;
 * bundle.mjs reads it where it starts the worker.
 */

export const before = { texts: [] };

const EXPORT = /\bexport\s*(?:\{([^{}]*)\}|default\s+([\w$]+))\s*;?\s*$/;

/** A classic script that puts the module under `self.simModules[name]`, as a function. */
export function asClassic(name, text) {
  const found = text.match(EXPORT);
  const body = found && text.slice(0, found.index).replaceAll("import.meta.url", "self.location.href");
  if (!body) throw new Error(`${name} does not end in one statement of exports: Pyodide has changed.`);
  const given = found[2] ? `default: ${found[2]}` : found[1].replace(/([\w$]+)\s+as\s+([\w$]+)/g, "$2: $1");
  return `(self.simModules ??= {}).${name} = () => {"use strict";\n${body}\nreturn {${given}};};\n`;
}
