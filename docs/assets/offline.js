/* "Save for offline": downloads the whole site into the cache of its service worker, and says how far
   it is. Loaded by site.js on pages with an element `data-offline`; sw.js answers from that cache.

   The page downloads, and not the worker, which browsers end when it is busy for long. What a page
   has put there stays when it is left; the next time goes on from there. */
"use strict";
(() => {
  const ROOT = new URL("..", document.currentScript.src).href;
  const PREFIX = `sim ${ROOT} `;
  const LIST = `${ROOT}offline.json`;
  const WHOLE = `${LIST}?whole`;
  const AT_ONCE = 4;
  const MB = (bytes) => `${(bytes / 1_000_000).toFixed(1)} MB`;
  // So much of it is a thing of the page; only one of a page's two lives saves.
  let running = null;

  const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
  const hash = (bytes) => crypto.subtle.digest("SHA-256", bytes);
  const hex = (bytes) =>
    Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

  /* Why nothing can be saved here, as a sentence, or null. */
  async function forbidden() {
    if (location.protocol === "file:") return "You are reading a copy on disk, so all of it is here already.";
    if (!document.querySelector("meta[name=sim-build]")) {
      return "This copy of the site was built without what keeps it offline.";
    }
    if (!isSecureContext) return "Browsers keep sites for offline only if they come by HTTPS, and this page did not.";
    if (self !== top) return "Inside another page, a site cannot be saved. Open it in a window of its own.";
    try {
      await caches.keys();
      await navigator.serviceWorker.getRegistration(ROOT);
      return null;
    } catch {
      return "This browser keeps nothing for websites: storage is switched off here, or forbidden.";
    }
  }

  /* What there is to save, what of it is here, and where it goes. */
  async function looked() {
    const fresh = await fetch(LIST, { cache: "no-cache" }).catch(() => null);
    const body = fresh?.ok ? await fresh.arrayBuffer() : null;
    const name = body ? PREFIX + hex(await hash(body)).slice(0, 12) : (await caches.keys()).find((key) => key.startsWith(PREFIX));
    if (!name) throw new Error("The network does not answer, and nothing of this site has been kept.");
    const cache = await caches.open(name);
    if (body) await cache.put(LIST, new Response(body));
    const { files, travel } = JSON.parse(await (await cache.match(LIST)).text());
    const here = new Set((await cache.keys()).map(({ url }) => url.slice(ROOT.length)));
    const whole = Boolean(await cache.match(WHOLE));
    const missing = Object.keys(files).filter((path) => !here.has(path));
    const size = (paths) => paths.reduce((sum, path) => sum + files[path][0], 0);
    const total = size(Object.keys(files));
    return { cache, files, travel, missing, whole, online: Boolean(body), total, left: size(missing) };
  }

  class Saving {
    constructor({ cache, files, missing, total, left }, shown) {
      Object.assign(this, { cache, files, queue: [...missing], total, done: total - left, shown });
      this.abort = new AbortController();
    }

    async run() {
      await navigator.serviceWorker.register(`${ROOT}sw.js`, { scope: ROOT });
      await this.cache.put(WHOLE, new Response("Wanted as a whole."));
      // Browsers clear away what nobody asked them to keep; some ask the reader.
      navigator.storage?.persist?.().catch(() => {});
      try {
        await Promise.all(Array.from({ length: AT_ONCE }, () => this.work()));
      } catch (problem) {
        this.abort.abort();
        throw problem;
      }
    }

    async work() {
      while (this.queue.length && !this.abort.signal.aborted) {
        const path = this.queue.shift();
        await this.save(path);
        this.done += this.files[path][0];
        this.shown(this.done, this.total);
      }
    }

    async save(path) {
      const { signal } = this.abort;
      let body;
      // A copy in the browser's own cache may be from before an update.
      for (const cache of ["default", "reload"]) {
        const response = await fetch(ROOT + path, { cache, signal }).catch((problem) => {
          throw signal.aborted ? problem : new Error("The connection broke off.");
        });
        if (!response.ok) throw new Error(`The server did not give ${path} (it answered ${response.status}).`);
        const { headers } = response;
        body = await response.arrayBuffer();
        if (base64(await hash(body)) !== this.files[path][1]) continue;
        const kind = { "content-type": headers.get("content-type") ?? "" };
        return this.cache.put(ROOT + path, new Response(body, { headers: kind }));
      }
      throw new Error("The site was updated in the meantime.");
    }
  }

  function said(problem, { left }) {
    if (problem.name === "QuotaExceededError") {
      return `There is no room for it: this browser does not let the site keep ${MB(left)} more. Free some space, and go on.`;
    }
    return `${problem.message} What has come is kept; Save goes on from there.`;
  }

  function button(text, onclick) {
    return Object.assign(document.createElement("button"), { type: "button", className: "sim-button", textContent: text, onclick });
  }

  function line(text, role = "") {
    const p = Object.assign(document.createElement("p"), { textContent: text });
    if (role) p.setAttribute("role", role);
    return p;
  }

  async function show(box, sentence = "") {
    const why = await forbidden();
    if (why) return box.replaceChildren(line(why));
    if (running) return showRunning(box);
    let now;
    try {
      now = await looked();
    } catch (problem) {
      return box.replaceChildren(line(sentence || problem.message, "status"));
    }
    const { missing, files, total, left, travel, whole, online } = now;
    const count = Object.keys(files).length;
    const says = sentence ? [line(sentence, "status")] : [];
    const remove = button("Remove what is kept", () => forget(box));
    if (!missing.length) {
      says.push(line(`The whole site is saved: ${count} files, ${MB(total)}. Without a network, open this same address.`, sentence ? "" : "status"));
      return box.replaceChildren(...says, remove);
    }
    const here = count - missing.length;
    if (here) says.push(line(`Kept until now: ${here} of ${count} files, ${MB(total - left)} of ${MB(total)}.`));
    // By the whole's proportion: servers send texts compressed.
    const way = MB((travel * left) / total);
    const save = button(`${whole && here ? "Go on saving" : "Save for offline"} (${MB(left)})`, () => start(box, now));
    if (online) says.push(line(`${here ? "The rest" : "The whole site"} takes ${MB(left)} on this device, and about ${way} of your connection.`), save, " ");
    else says.push(line("There is no network now, so the rest cannot be saved."));
    if (here) says.push(remove);
    box.replaceChildren(...says);
  }

  async function start(box, now) {
    running = new Saving(now, (done, total) => progress(done, total));
    showRunning(box);
    const saving = running;
    let sentence = "Saved.";
    try {
      await saving.run();
    } catch (problem) {
      sentence = saving.canceled ? "Canceled. What has come is kept." : said(problem, now);
    }
    if (saving.canceled) sentence = "Canceled. What has come is kept.";
    running = null;
    tellWorker();
    const shown = document.querySelector("[data-offline]");
    if (shown) await show(shown, sentence);
  }

  function showRunning(box) {
    const bar = Object.assign(document.createElement("progress"), { max: running.total, value: running.done });
    bar.setAttribute("aria-label", "Saved");
    const cancel = button("Cancel", () => {
      running.canceled = true;
      running.abort.abort();
    });
    box.replaceChildren(line(""), bar, " ", cancel);
    progress(running.done, running.total);
    cancel.focus();
  }

  function progress(done, total) {
    const box = document.querySelector("[data-offline]");
    const bar = box?.querySelector("progress");
    if (!bar) return;
    bar.value = done;
    box.querySelector("p").textContent = `Saving: ${MB(done)} of ${MB(total)}`;
  }

  /* The service worker keeps in mind what is in the cache; it looks anew. */
  function tellWorker() {
    navigator.serviceWorker.controller?.postMessage({ forget: true });
  }

  async function forget(box) {
    for (const name of await caches.keys()) {
      if (name.startsWith(PREFIX)) await caches.delete(name);
    }
    tellWorker();
    await show(box, "Removed. What you read from now on is kept again.");
  }

  /* The address of the releases, if this site knows where it comes from. */
  function nameReleases(box) {
    const source = document.querySelector("meta[name=sim-source]")?.content;
    if (!source || !box) return;
    const href = source.replace(/\/blob\/main\/$/, "/releases/latest");
    const link = Object.assign(document.createElement("a"), { href, textContent: "The latest release" });
    box.replaceChildren(link, " carries that file, how-systems-survive-chaos-….zip.");
  }

  const begin = () => {
    const box = document.querySelector("[data-offline]");
    if (box) show(box);
    nameReleases(document.querySelector("[data-zip]"));
  };
  window.document$.subscribe(begin);
})();
