/* The file format of a snapshot, written by snapshot.mjs and read in the worker.
 *
 * A fresh WebAssembly instance already holds the contents of Pyodide's data segments, and zeros
 * elsewhere. Only pages that differ from that are stored:
 *
 *     4 bytes   length of the header, little-endian
 *     header    JSON: buildId, heapBytes, pageBytes, runs, config (see below), padded to 4 bytes
 *     runs      pairs of 32-bit integers: number of the first page, count of pages
 *     pages     the pages of all runs, one after the other
 *
 * `config` is Pyodide's own record of what the heap knows about JavaScript objects; `buildId` says
 * which WebAssembly the addresses in the heap belong to.
 */

const WORD = 4;

/** Returns `{header, runs, pages}` as one array of bytes; see the format above. */
export function writeSnapshot(heap, fresh, { pageBytes, buildId, config }) {
  const runs = [];
  const pages = [];
  for (let at = 0; at < heap.length; at += pageBytes) {
    if (samePage(heap, fresh, at, pageBytes)) continue;
    const page = at / pageBytes;
    const last = runs.length - 2;
    if (last >= 0 && runs[last] + runs[last + 1] === page) runs[last + 1] += 1;
    else runs.push(page, 1);
    pages.push(heap.subarray(at, at + pageBytes));
  }
  const fields = { buildId, heapBytes: heap.length, pageBytes, runs: runs.length / 2, config };
  const text = new TextEncoder().encode(JSON.stringify(fields));
  const header = new Uint8Array(Math.ceil(text.length / WORD) * WORD).fill(0x20);
  header.set(text);
  return concatenate([
    new Uint8Array(Uint32Array.of(header.length).buffer),
    header,
    new Uint8Array(Uint32Array.from(runs).buffer),
    ...pages,
  ]);
}

/** Reads a snapshot from an ArrayBuffer; `writeTo(heap)` copies its pages into a fresh heap. */
export function readSnapshot(buffer) {
  const headerBytes = new Uint32Array(buffer, 0, 1)[0];
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, WORD, headerBytes)));
  const runs = new Uint32Array(buffer, WORD + headerBytes, 2 * header.runs);
  const pages = new Uint8Array(buffer, runs.byteOffset + runs.byteLength);
  return {
    buildId: header.buildId,
    config: header.config,
    heapBytes: header.heapBytes,
    writeTo(heap) {
      let at = 0;
      for (let i = 0; i < runs.length; i += 2) {
        const bytes = runs[i + 1] * header.pageBytes;
        heap.set(pages.subarray(at, at + bytes), runs[i] * header.pageBytes);
        at += bytes;
      }
    },
  };
}

function samePage(heap, fresh, at, pageBytes) {
  for (let i = at; i < at + pageBytes; i++) if (heap[i] !== fresh[i]) return false;
  return true;
}

function concatenate(chunks) {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
