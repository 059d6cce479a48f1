/* Brings the runtime's files to the page, in the one way or the other that its address allows.
 *
 * By fetch: over HTTP. Bytes are counted as they arrive, and WebAssembly is compiled while it
 * downloads.
 *
 * By script: from disk, where nothing can be fetched; in a sandboxed frame, which has no origin and
 * may not fetch from a server that does not allow it; and wherever else a fetch is refused. Classic
 * scripts are exempt from that rule, so each file exists a second time, in base64 within a script.
 * A sandboxed frame does not try to fetch first: browsers report every refusal to the console.
 *
 * Every file is compared with its SHA-256 in the manifest before it is used. What is fetched, and what
 * travels in base64, is hashed here, WebAssembly while it is compiled. Scripts are left to the browser
 * (`integrity`), which refuses to run an altered one; it does so for the page's own origin only, and
 * elsewhere the text that a script brought is hashed before it is used. Hashing needs HTTPS, this
 * machine or the disk; over plain HTTP there remain lengths, gzip's checksums and `integrity`.
 *
 * What was downloaded is kept: a worker that is ended and started again costs no bytes.
 */

import { fromBase64, gunzip, inflated, integrityOf, sha256, streamOf } from "./bytes.js";
import { Failure } from "./failure.js";

const STALLED_AFTER_MS = 30_000;
const PIECE_BYTES = 128 * 1024;
const INFLATED_AS_WASM = { headers: { "content-type": "application/wasm" } };

/** Counts arriving bytes, and calls `stop` where none arrive for a while. */
class Meter {
  constructor(total, onProgress, stop) {
    this.total = total;
    this.loaded = 0;
    this.onProgress = onProgress;
    this.stop = stop;
    this.add(0);
  }

  add(bytes) {
    this.loaded += bytes;
    this.onProgress({ loaded: this.loaded, total: this.total });
    clearTimeout(this.timer);
    this.timer = setTimeout(this.stop, STALLED_AFTER_MS);
  }

  end() {
    clearTimeout(this.timer);
  }
}

export class Downloads {
  /** `base` is the address of the folder with the files that `manifest` names. */
  constructor(base, manifest) {
    this.base = base;
    this.manifest = manifest;
    this.done = new Map();
    this.suspects = new Set();
    this.fetchable = base.startsWith("http") && self.origin !== "null";
    this.own = this.fetchable && new URL(base).origin === self.origin;
  }

  /** Loads all files; calls `onPart(name, value)` for each in the order in which they arrive. */
  async load(onPart, onProgress) {
    const abort = new AbortController();
    let meter;
    const stalled = new Promise((_, reject) => {
      const stop = () => reject(new Failure("stalled"));
      meter = new Meter(this.totalBytes(), onProgress, stop);
    });
    const deliver = async ([name, get]) => {
      try {
        onPart(name, await this.once(name, meter, () => get.call(this, meter, abort.signal)));
      } catch (error) {
        if (!abort.signal.aborted) this.suspects.add(name);
        throw error;
      }
    };
    try {
      await Promise.race([stalled, Promise.all(Object.entries(GETTERS).map(deliver))]);
    } catch (error) {
      abort.abort();
      throw error;
    } finally {
      meter.end();
    }
  }

  /** The code of a pattern, as text for the worker; null if the build made none of that name. */
  async pattern(name) {
    const known = this.manifest.patterns ?? {};
    return Object.hasOwn(known, name) ? this.scriptText(known[name]) : null;
  }

  /** The sources of a pattern, highlighted (see sources.py); null if the build made none. */
  async sources(name) {
    const known = this.manifest.sources ?? {};
    return Object.hasOwn(known, name) ? JSON.parse(await this.scriptFile(known[name])) : null;
  }

  /** Loads the script that defines `simEditor`. */
  async loadEditor() {
    const path = this.manifest.editor;
    await this.script(path);
    if (!globalThis.simEditor) throw new Failure("file-damaged", path);
  }

  /* The text of a file that travels as gzip in base64 within a script. */
  async scriptFile(path) {
    const bytes = await gunzip(fromBase64(await this.scriptText(path))).catch(damaged({ path }));
    return new TextDecoder().decode(bytes);
  }

  totalBytes() {
    return Object.values(this.manifest.files).reduce((sum, file) => sum + file.bytes, 0);
  }

  /* The value under this name, made once per page; what failed is made again when asked for. */
  async once(name, meter, make) {
    if (this.done.has(name)) meter.add(this.manifest.files[name].bytes);
    else this.done.set(name, await make());
    return this.done.get(name);
  }

  /* The bytes of a file, by fetch or else by script; `address` is there if it can be fetched. */
  async bytes(name, meter, signal) {
    const file = this.manifest.files[name];
    const download = await this.fetch(name, meter, signal);
    if (download === null) {
      const bytes = await this.scriptBytes(file, meter);
      this.fetchable = false;
      return { bytes };
    }
    const bytes = await new Response(download.stream).arrayBuffer().catch(download.explain);
    await verify(file, bytes);
    return { bytes, address: this.base + file.path };
  }

  /* Compiled code, which a page can hand to one worker after the other. It is compiled while it
   * downloads, and handed out once all of it has been hashed. */
  async wasm(meter, signal) {
    const file = this.manifest.files.wasm;
    const download = await this.fetch("wasm", meter, signal);
    const stream = download?.stream ?? streamOf(await this.scriptBytes(file, meter));
    const pieces = [];
    const response = new Response(inflated(inTurns(stream, pieces)), INFLATED_AS_WASM);
    const module = await WebAssembly.compileStreaming(response).catch(
      download?.explain ?? damaged(file),
    );
    if (download) await verify(file, joined(pieces));
    return module;
  }

  /* A counted stream of the file's bytes, or null where the browser refuses to fetch here, and where
   * there is only the script: a copy of the site that is meant for disk may be served after all.
   * `explain` is for whoever consumes the stream: it turns what went wrong into a Failure. */
  async fetch(name, meter, signal) {
    if (!this.fetchable) return null;
    const file = this.manifest.files[name];
    // What failed before may have been kept by the browser, so it is asked for anew.
    const cache = this.suspects.has(name) ? "reload" : "default";
    let response;
    try {
      response = await fetch(this.base + file.path, { cache, signal });
    } catch (error) {
      if (signal.aborted) throw error;
      // Either the network is gone, or we may not read from here. The script way tells which.
      return null;
    }
    if (!response.ok) return null;
    const connection = { lost: false };
    const explain = (error) => {
      if (connection.lost) throw new Failure("network", file.path, error);
      damaged(file)(error);
    };
    return { stream: counted(response.body, meter, connection), explain };
  }

  /* What a script of ours left under a name, by default its own. */
  async scriptText(path, name = path) {
    await this.script(path);
    const text = globalThis.__simFiles?.[name];
    if (text === undefined) throw new Failure("file-damaged", path);
    delete globalThis.__simFiles[name];
    const expected = this.manifest.integrity?.[path];
    if (!this.own && expected) {
      const found = await integrityOf(`(globalThis.__simFiles??={})["${name}"]="${text}";\n`);
      if (found !== null && found !== expected) throw new Failure("file-damaged", path);
    }
    return text;
  }

  /* Runs a script, which the browser compares with its digest where it can. */
  async script(path) {
    let timer;
    const stalled = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Failure("stalled")), STALLED_AFTER_MS);
    });
    const loaded = this.checked(path);
    await Promise.race([loaded, stalled]).finally(() => clearTimeout(timer));
  }

  async checked(path) {
    const address = this.base + path;
    const integrity = this.own ? this.manifest.integrity?.[path] : undefined;
    try {
      // What came wrong may lie in the browser's cache, where a script looks first.
      if (this.suspects.delete(path)) await fetch(address, { cache: "reload" }).catch(() => {});
      await loadScript(address, integrity);
    } catch {
      throw await this.whyNot(path);
    }
  }

  /* Browsers do not say why a script did not come, so it is asked for once more, past all caches. */
  async whyNot(path) {
    if (!this.own) return new Failure("file-missing", path);
    this.suspects.add(path);
    try {
      const response = await fetch(this.base + path, { cache: "no-store" });
      await response.arrayBuffer();
      return new Failure(response.ok ? "file-damaged" : "file-missing", path);
    } catch (error) {
      return new Failure("network", path, error);
    }
  }

  async scriptBytes(file, meter) {
    const stored = fromBase64(await this.scriptText(file.script.path, file.path));
    const bytes = file.script.gzip ? await gunzip(stored).catch(damaged(file)) : stored;
    await verify(file, bytes);
    meter.add(file.bytes);
    return bytes;
  }
}

// In the order in which the worker can make use of them.
const GETTERS = {
  pyodide(meter, signal) {
    return this.bytes("pyodide", meter, signal);
  },
  glue(meter, signal) {
    return this.bytes("glue", meter, signal);
  },
  wasm(meter, signal) {
    return this.wasm(meter, signal);
  },
  snapshot(meter, signal) {
    return this.bytes("snapshot", meter, signal);
  },
};

/* The same stream, counted as it is read; notes on `connection` if the source breaks off. */
function counted(source, meter, connection) {
  const reader = source.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        meter.add(value.byteLength);
        controller.enqueue(value);
      } catch (error) {
        connection.lost = true;
        controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/* The bytes of all pieces, one after the other. */
function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/* The same stream in small pieces, with a turn of the page between them, which are also kept. A cached file arrives in
 * pieces of megabytes, and inflating one would hold up the page for as long as it takes. */
function inTurns(source, pieces) {
  return source.pipeThrough(
    new TransformStream({
      async transform(chunk, controller) {
        pieces.push(chunk);
        for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
          if (at > 0) await turnOfThePage();
          controller.enqueue(chunk.slice(at, at + PIECE_BYTES));
        }
      },
    }),
  );
}

/* A message to ourselves: unlike a timer, it is delivered at once, after whatever was waiting. */
function turnOfThePage() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

function damaged(file) {
  return (error) => {
    throw new Failure("file-damaged", file.path, error);
  };
}

/* Compares with the manifest: the length always, the hash where the browser offers hashing. */
async function verify(file, bytes) {
  if (bytes.byteLength !== file.bytes) throw new Failure("file-damaged", file.path);
  const hash = await sha256(bytes);
  if (hash !== null && hash !== file.sha256) throw new Failure("file-damaged", file.path);
}

function loadScript(address, integrity) {
  const script = document.createElement("script");
  const loaded = new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = reject;
  });
  if (integrity) script.integrity = integrity;
  script.src = address;
  // Otherwise it would come last: browsers give scripts that a script adds the least priority.
  script.fetchPriority = "high";
  document.head.append(script);
  return loaded.finally(() => script.remove());
}
