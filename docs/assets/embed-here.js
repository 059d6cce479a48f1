/* One line that puts a figure into any page, in place of itself; docs/embed.md explains it.

     <script async src=".../assets/embed-here.js" data-sim="..." data-scenario="..."></script>

   It leaves no name behind and puts nothing into the page as HTML. It takes every such line that is
   waiting, since no browser runs one that was added as HTML. */
"use strict";
(() => {
  const SOURCE = "survive-chaos";
  const NAMES = ["data-md-color-scheme", "data-theme", "data-bs-theme", "data-color-mode"];
  const THEMES = ["auto", "light", "dark", "host"];
  const TOLD = ["ready", "event", "resize", "frame"];

  function isDark() {
    const roots = [document.documentElement, document.body];
    for (const root of roots) {
      const words = NAMES.map((name) => root.getAttribute(name)).join(" ");
      if (/dark|slate/i.test(words)) return true;
      if (/light|default/i.test(words)) return false;
      if (root.classList.contains("dark")) return true;
      if (root.classList.contains("light")) return false;
    }
    for (const root of roots) {
      const scheme = getComputedStyle(root).colorScheme;
      const [light, dark] = [/light/.test(scheme), /dark/.test(scheme)];
      if (light !== dark) return dark;
      if (dark) return matchMedia("(prefers-color-scheme: dark)").matches;
    }
    // Without a background of its own a page shows the browser's, and its text is the opposite.
    const styles = roots.reverse().map((root) => getComputedStyle(root));
    const back = styles.map((style) => brightness(style.backgroundColor)).find((found) => found !== null);
    return back === undefined ? brightness(styles[0].color) > 0.5 : back < 0.5;
  }

  /* From 0 to 1, or null for what is mostly transparent or in a notation that is not read here. */
  function brightness(color) {
    if (!/^(rgb|color\(srgb)/.test(color)) return null;
    const [r, g, b, a = 1] = color.match(/[\d.]+(e-\d+)?/g).map(Number);
    return a < 0.5 ? null : (0.299 * r + 0.587 * g + 0.114 * b) / (/^rgb/.test(color) ? 255 : 1);
  }

  function onHostTheme(tell, signal) {
    const watch = new MutationObserver(tell);
    for (const root of [document.documentElement, document.body]) {
      watch.observe(root, { attributes: true, attributeFilter: ["class", "style", ...NAMES] });
    }
    signal.addEventListener("abort", () => watch.disconnect());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell, { signal });
    // Styles that come late, and backgrounds that fade from one color to the other.
    for (const kind of ["load", "transitionend"]) addEventListener(kind, tell, { signal });
  }

  function one(name, given, form, allowed) {
    if (form.test(given)) return given;
    throw new Error(`data-${name} must be ${allowed}, got “${given.slice(0, 60)}”`);
  }

  function read(script) {
    const { sim, scenario = "", run = "", theme = "auto", height = "1200", title } = script.dataset;
    one("sim", sim, /^[a-z][a-z0-9_]*$/, "the name of a simulation");
    one("scenario", scenario, /^[a-z0-9-]*$/, "the name of a scenario");
    one("theme", theme, new RegExp(`^(${THEMES.join("|")})$`), THEMES.join(", "));
    one("height", height, /^[1-9]\d{1,3}$/, "a number of pixels, from 10 to 9999");
    const link = run.split("?").pop();
    one("run", link, /^(v=\d+&.{1,30000})?$/s, "what stands after the ? of a link");
    const address = new URL(`../embed/${sim}${scenario && `/${scenario}`}.html`, script.src);
    if (link) address.hash = `?${link}`;
    return { address, theme, height, title: title ?? `Simulation: ${scenario || sim}`.replace(/[_-]/g, " ") };
  }

  function put(script) {
    const box = document.createElement("div");
    if (script.id) box.id = script.id;
    box.className = script.className;
    if (document.body.contains(script)) {
      script.replaceWith(box);
    } else {
      // A document that begins with such a line has it in its head, where nothing is shown.
      script.remove();
      document.body.prepend(box);
    }
    const say = (problem) => {
      box.style.minHeight = "";
      box.textContent = `This figure cannot be shown: ${problem}.`;
      console.warn(box.textContent);
    };
    try {
      prepare(box, read(script), say);
    } catch (problem) {
      say(problem.message);
    }
  }

  function prepare(box, asked, say) {
    box.style.minHeight = `${asked.height}px`;
    // A viewport's height around the viewport. Nothing is asked for before.
    const near = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        near.disconnect();
        show(box, asked, say);
      },
      { rootMargin: "100% 0px" },
    );
    near.observe(box);
  }

  function show(box, { address, theme, height, title }, say) {
    const follows = theme === "host";
    const frame = document.createElement("iframe");
    const stop = new AbortController();
    let heard = false;
    const tell = (message) => frame.contentWindow?.postMessage({ source: SOURCE, ...message }, "*");
    const tellTheme = () => tell({ type: "theme", theme: isDark() ? "dark" : "light" });

    function hear({ source, origin, data }) {
      if (!box.isConnected) return stop.abort();
      // In a sandbox, and from disk, a frame has no origin; that it is this frame says enough.
      const own = source === frame.contentWindow && ["null", "file://", address.origin].includes(origin);
      if (!own || data?.source !== SOURCE || !TOLD.includes(data.type)) return;
      if (!heard && follows) tellTheme();
      heard = true;
      if (data.type === "resize" && data.height > 0 && data.height < 20_000) {
        frame.style.height = `${data.height}px`;
        box.style.minHeight = "";
      }
      const { source: _, type, ...detail } = data;
      box.dispatchEvent(new CustomEvent(`sim:${type}`, { bubbles: true, detail }));
    }

    addEventListener("message", hear, { signal: stop.signal });
    box.addEventListener("sim:do", (event) => tell({ type: "do", do: event.detail }), { signal: stop.signal });
    if (follows) onHostTheme(tellTheme, stop.signal);
    // A frame does not say that it is a page about a missing page; it only stays silent.
    frame.addEventListener("load", () => {
      setTimeout(() => {
        if (heard || !box.isConnected) return;
        stop.abort();
        say(`there is none at ${address.href.split("#")[0]}`);
      }, 3_000);
    });
    address.searchParams.set("theme", follows ? (isDark() ? "dark" : "light") : theme);
    Object.assign(frame, { title, src: address.href, allow: "clipboard-write", referrerPolicy: "no-referrer" });
    frame.style.cssText = `display: block; width: 100%; height: ${height}px; border: 0`;
    box.replaceChildren(frame);
  }

  const putAll = () => document.querySelectorAll('script[data-sim][src*="embed-here.js"]').forEach(put);
  if (document.body) putAll();
  else addEventListener("DOMContentLoaded", putAll, { once: true });
})();
