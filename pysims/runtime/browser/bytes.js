/* Bytes in their various clothes. No Blob is read here: WebKit refuses that for pages from disk. */

/** Inflates a stream of gzip. */
export function inflated(stream) {
  return stream.pipeThrough(new DecompressionStream("gzip"));
}

/** A stream of just these bytes. */
export function streamOf(bytes) {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(bytes));
      controller.close();
    },
  });
}

/** Inflates gzip to an ArrayBuffer; rejects where it is damaged or incomplete. */
export function gunzip(bytes) {
  return new Response(inflated(streamOf(bytes))).arrayBuffer();
}

/** SHA-256, or null where the browser does not offer hashing: it wants HTTPS, or this machine. */
async function hashed(bytes) {
  if (!globalThis.crypto?.subtle) return null;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** SHA-256 in hexadecimal, or null where the browser does not offer hashing. */
export async function sha256(bytes) {
  const hash = await hashed(bytes);
  return hash && Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** SHA-256 as the attribute `integrity` of a script has it, or null likewise. */
export async function integrityOf(text) {
  const hash = await hashed(new TextEncoder().encode(text));
  return hash && `sha256-${btoa(String.fromCharCode(...hash))}`;
}

/** Decodes base64 to bytes. */
export function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
