/* The service worker: keeps what was read, and answers when the network does not.
 *
 *   pages                     from the network; from here if that fails, or takes longer than four seconds
 *   files named by content    from here, if they are here: such a name never means anything else
 *   everything else           from the network, else from here
 *
 * It never mixes two builds. It belongs to one build of the site, whose list of files (offline.json) has
 * the digest of each, and keeps nothing that has another: after a deploy, what the server sends no longer
 * fits, and is not kept until the worker of the new build has come. A page that was answered from here
 * gets the rest from here, too. The new worker takes over what has not changed, fetches anew what has,
 * and deletes the old cache.
 *
 * `finish` in __init__.py writes the build into the next line. Saving the whole site is the page's
 * business (docs/assets/offline.js), since a browser ends a worker that is busy for long.
 */
"use strict";

const BUILD = "BUILD-OF-THE-SITE";
const ROOT = self.registration.scope;
// Other sites may live at the same origin, as projects do on GitHub Pages.
const PREFIX = `sim ${ROOT} `;
const NAME = PREFIX + BUILD;
const LIST = "offline.json";
const WHOLE = `${LIST}?whole`;
const PATIENCE_MS = 4000;
const HASHED = /\.[0-9a-f]{8,}\.[^/]*$/;
// Whoever has read one page can search, and is told what is here.
const ALWAYS = ["index.html", "404.html", "offline.html", "sitemap.xml", "assets/favicon.svg"];
const SEARCH = /^search\/search_index\.json$|^assets\/javascripts\/workers\//;

/* Windows whose page came from here, while this worker lives. A page of which it has forgotten that is
   still safe: its scripts come with digests. */
const answeredFromHere = new Set();
let state = null;

/* The list of this build's files, and the names of those that are here. */
function known() {
  state ??= look().catch((problem) => {
    state = null;
    throw problem;
  });
  return state;
}

async function look() {
  const cache = await caches.open(NAME);
  let list = await cache.match(ROOT + LIST);
  if (!list) {
    const response = await fetch(ROOT + LIST, { cache: "no-cache" });
    const body = await response.arrayBuffer();
    const found = Array.from(await hashed(body), (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (!response.ok || !found.startsWith(BUILD)) throw new Error("The list of files is of another build.");
    list = new Response(body);
    await cache.put(ROOT + LIST, list.clone());
  }
  const { files } = await list.json();
  const here = new Set((await cache.keys()).map(({ url }) => url.slice(ROOT.length)));
  return { cache, files, here };
}

async function hashed(body) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", body));
}

async function kept(path) {
  return (await caches.open(NAME)).match(ROOT + path, { ignoreVary: true });
}

/* Keeps a response if it is what this build has under that name; whether it did. */
async function keep(path, response) {
  const { cache, files, here } = await known();
  if (!Object.hasOwn(files, path)) return false;
  const body = await response.arrayBuffer();
  if (btoa(String.fromCharCode(...(await hashed(body)))) !== files[path][1]) return false;
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  await cache.put(ROOT + path, new Response(body, { headers }));
  here.add(path);
  return true;
}

async function bring(path) {
  const { files, here } = await known();
  if (here.has(path) || !Object.hasOwn(files, path)) return;
  const response = await fetch(ROOT + path);
  // A copy in the browser's own cache may be from before the deploy.
  if (response.ok && (await keep(path, response))) return;
  const fresh = await fetch(ROOT + path, { cache: "reload" });
  if (fresh.ok) await keep(path, fresh);
}

/* One after the other: this is nothing that anybody waits for. */
async function bringAll(paths) {
  for (const path of paths) await bring(path).catch(() => {});
}

/* ---- Install, activate ----------------------------------------------------------------------- */

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(known().then(inherit));
});

async function inherit({ cache, files, here }) {
  const changed = new Set();
  // What is named by its content has another name now; without that, the name is the same.
  const stem = (path) => path.replace(HASHED, "");
  const now = new Map(Object.keys(files).map((path) => [HASHED.test(path) ? stem(path) : path, path]));
  for (const name of await olderCaches()) {
    const old = await caches.open(name);
    const before = (await (await old.match(ROOT + LIST))?.json())?.files ?? {};
    for (const { url } of await old.keys()) {
      const path = url.slice(ROOT.length);
      if (path === WHOLE) {
        await cache.put(url, await old.match(url));
        Object.keys(files).forEach((file) => changed.add(file));
      }
      if (now.has(stem(path))) changed.add(now.get(stem(path)));
      if (!Object.hasOwn(files, path)) continue;
      changed.add(path);
      if (before[path]?.[1] !== files[path][1]) continue;
      await cache.put(url, await old.match(url));
      here.add(path);
    }
  }
  await bringAll(changed);
}

async function olderCaches() {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
}

self.addEventListener("activate", (event) => {
  event.waitUntil(
    olderCaches()
      .then((names) => Promise.all(names.map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

/* ---- Messages from pages --------------------------------------------------------------------- */

self.addEventListener("message", (event) => {
  const { read, forget } = event.data ?? {};
  if (forget) state = null;
  if (read) event.waitUntil(readBefore(read).catch(() => {}));
});

/* The addresses that a page has loaded before this worker could see it. */
async function readBefore(addresses) {
  const { files } = await known();
  const search = Object.keys(files).filter((path) => SEARCH.test(path));
  const paths = addresses.map((url) => pathOf({ method: "GET", url })).filter((path) => path);
  await bringAll(new Set([...paths, ...ALWAYS, ...search]));
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* The name of a file of this site, or null for whatever is none of our business. */
function pathOf({ method, url }) {
  if (method !== "GET" || !url.startsWith(ROOT)) return null;
  const path = url.slice(ROOT.length).replace(/[?#].*/s, "");
  if (path === LIST) return null;
  return path === "" || path.endsWith("/") ? `${path}index.html` : path;
}

self.addEventListener("fetch", (event) => {
  const path = pathOf(event.request);
  if (path !== null) event.respondWith(answer(event, path));
});

async function answer(event, path) {
  const { request, clientId, resultingClientId } = event;
  const isPage = path.endsWith(".html");
  const first = HASHED.test(path) ? request.cache !== "reload" : answeredFromHere.has(clientId) && !isPage;
  const found = first || isPage ? await kept(path) : null;
  if (first && found) return found;
  try {
    const coming = fromNetwork(event, path);
    return await (found ? Promise.race([coming, tooLong(coming)]) : coming);
  } catch {
    const instead = found ?? (await kept(path));
    if (instead && resultingClientId) answeredFromHere.add(resultingClientId);
    if (instead) return instead;
    return isPage ? notHere() : Response.error();
  }
}

async function fromNetwork(event, path) {
  const response = await fetch(event.request);
  // A server that is down sends such things for pages that we have.
  if (response.status >= 500 && (await kept(path))) throw new Error(`status ${response.status}`);
  if (response.ok && response.type === "basic") {
    const { files, here } = await known().catch(() => ({ files: {}, here: null }));
    if (Object.hasOwn(files, path) && !here.has(path)) {
      event.waitUntil(keep(path, response.clone()).catch(() => {}));
    }
  }
  return response;
}

function tooLong(coming) {
  coming.catch(() => {});
  return new Promise((_, reject) => setTimeout(() => reject(new Error("slow")), PATIENCE_MS));
}

/* A page that was never read, and no network: says so, and what there is instead. */
async function notHere() {
  const pages = [];
  for (const { url } of await (await caches.open(NAME)).keys()) {
    const path = url.slice(ROOT.length);
    if (!path.endsWith(".html") || path === "404.html" || path.startsWith("embed/")) continue;
    const title = (await (await kept(path)).text()).match(/<title>(.*?)( - .*?)?<\/title>/s)?.[1] ?? path;
    pages.push(`<li><a href="${url}">${title}</a></li>`);
  }
  const list = pages.length ? `<p>These pages are here:</p><ul>${pages.join("")}</ul>` : "";
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Not kept for offline</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}li{margin:.4rem 0}</style>
<h1>This page is not here</h1>
<p>The network does not answer, and this page was not read before, so this browser has no copy of it.</p>${list}</html>`;
  return new Response(html, { status: 503, headers: { "content-type": "text/html; charset=utf-8" } });
}
