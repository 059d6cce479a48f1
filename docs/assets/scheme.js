// Chooses light or dark before the first paint, so that a reader who prefers dark never
// sees a white flash. On a page of the site, what the reader chose by hand counts first. On an
// embedded page, which loads no Material, `?theme=light|dark|auto` decides, and auto follows the
// system while it changes; assets/embed.js tells when the page around asks for something else.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const embedded = root.classList.contains("embed");
  const preferred = () => (dark.matches ? "slate" : "default");
  if (!embedded) return ofTheSite();

  let asked = new URLSearchParams(location.search).get("theme");
  const apply = () => {
    const scheme = { light: "default", dark: "slate" }[asked] ?? preferred();
    root.setAttribute("data-md-color-scheme", scheme);
  };
  apply();
  dark.addEventListener("change", apply);
  document.addEventListener("sim:theme", (event) => {
    asked = event.detail;
    apply();
  });

  // Material's scripts find what they keep of a reader by four functions, which its template has
  // inline; here they are. Storage may be forbidden, in a sandboxed frame for example: then nothing
  // is kept.
  function ofTheSite() {
    const scope = new URL("..", document.currentScript.src);
    globalThis.__md_scope = scope;
    globalThis.__md_hash = (text) =>
      [...text].reduce((hash, letter) => (hash << 5) - hash + letter.charCodeAt(0), 0);
    globalThis.__md_get = (name, storage, at = scope) => {
      try {
        return JSON.parse((storage ?? localStorage).getItem(`${at.pathname}.${name}`));
      } catch {
        return null;
      }
    };
    globalThis.__md_set = (name, value, storage, at = scope) => {
      try {
        (storage ?? localStorage).setItem(`${at.pathname}.${name}`, JSON.stringify(value));
      } catch {}
    };

    askForFonts(scope);
    const chosen = globalThis.__md_get("__palette")?.color ?? {};
    const byHand = chosen.scheme && chosen.media !== "(prefers-color-scheme)";
    document.body.setAttribute("data-md-color-scheme", byHand ? chosen.scheme : preferred());
    followBody();
    asMaterialLeavesIt();
  }

  // A browser finds out which fonts a page needs when it lays the page out for the first time. Every
  // page needs these two: asked for now, they are often there before, and then nothing moves. From disk
  // they come at once, and browsers refuse to be asked.
  function askForFonts(scope) {
    if (location.protocol === "file:") return;
    for (const name of ["sans", "serif"]) {
      const link = document.createElement("link");
      const href = new URL(`assets/fonts/${name}.woff2`, scope).href;
      Object.assign(link, { rel: "preload", as: "font", type: "font/woff2", crossOrigin: "", href });
      document.head.append(link);
    }
  }

  // Scroll bars are the browser's: they follow the scheme by this element. Each change of it, even to
  // what it is, makes a browser style the whole page anew.
  function followBody() {
    const meta = document.createElement("meta");
    meta.name = "color-scheme";
    const follow = () => {
      const scheme = document.body.dataset.mdColorScheme === "slate" ? "dark" : "light";
      if (meta.content !== scheme) meta.content = scheme;
    };
    follow();
    document.head.append(meta);
    new MutationObserver(follow).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  }

  // What Material's script does to the root first, which would have the finished page styled twice.
  function asMaterialLeavesIt() {
    root.classList.replace("no-js", "js");
    root.classList.add("js-focus-visible");
    root.setAttribute("data-js-focus-visible", "");
  }
})();
