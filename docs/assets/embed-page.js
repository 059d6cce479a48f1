/* For docs/embed.md alone: it shows the address that it is read at, and sizes its plain frame with
   the few lines that it explains. Instant navigation runs this again with every visit. */
"use strict";
(() => {
  const PLACEHOLDER = "https://survive-chaos.example/";
  const ONCE = Symbol.for("survive-chaos: embed-page");

  // A path on disk may hold a & that would mean something else in HTML.
  const root = new URL(".", location.href).href.replaceAll("&", "%26");
  for (const code of document.querySelectorAll(".md-content code")) {
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (text.data.includes(PLACEHOLDER)) text.data = text.data.replaceAll(PLACEHOLDER, root);
    }
  }

  if (globalThis[ONCE]) return;
  globalThis[ONCE] = true;
  addEventListener("message", ({ data, source }) => {
    if (data?.source !== "survive-chaos" || data.type !== "resize") return;
    for (const frame of document.querySelectorAll("iframe")) {
      if (frame.contentWindow === source) frame.style.height = `${data.height}px`;
    }
  });
})();
