/* On a page for iframes: tells the page around it how tall it is and what happens in it, and does
   what that page asks for. docs/embed.md lists the messages.

   They are plain objects, {source: "survive-chaos", type, ...}. What is told holds nothing of the
   reader, and the page around may be anybody's, so it goes to any origin. What is asked for is
   listened to only if it comes from the page around. */
"use strict";
(() => {
  if (parent === self) return;
  const SOURCE = "survive-chaos";
  const TOLD = {
    ready: ["id", "pattern"],
    frame: ["id"],
    event: ["id", "pattern", "at", "events", "time_ms", "kind", "says"],
  };
  const DONE = ["play", "pause", "step", "back", "reset"];
  const THEMES = ["auto", "light", "dark"];

  /* WordPress adds `#?secret=…` to the address of a frame, and gives the frame the height that comes
     back with it, of at most 1000 pixels. It must be gone before a widget takes it for a run. */
  const secret = location.hash.match(/#\?secret=([a-zA-Z0-9]+)$/)?.[1];
  if (secret) history.replaceState(history.state, "", location.hash.replace(/#\?secret=\w+$/, "") || "#");

  const tell = (message) => parent.postMessage({ source: SOURCE, ...message }, "*");
  let told = 0;
  const measure = () => {
    // The body and not the document: a document is never shorter than its frame.
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height === told) return;
    told = height;
    tell({ type: "resize", height });
    if (secret && (height <= 1000 || innerHeight < 1000)) {
      parent.postMessage({ secret, message: "height", value: height }, "*");
    }
  };
  for (const [type, names] of Object.entries(TOLD)) {
    document.addEventListener(`sim:${type}`, ({ detail }) => {
      tell({ type, ...Object.fromEntries(names.map((name) => [name, detail[name]])) });
    });
  }

  addEventListener("message", ({ source, data }) => {
    if (source !== parent || data?.source !== SOURCE) return;
    if (data.type === "do" && DONE.includes(data.do)) {
      document.querySelector("sim-widget").send({ do: data.do });
    } else if (data.type === "theme" && THEMES.includes(data.theme)) {
      document.dispatchEvent(new CustomEvent("sim:theme", { detail: data.theme }));
    } else {
      console.warn("The page around asks for what there is not; docs/embed.md lists what there is.", data);
    }
  });

  const begin = () => {
    new ResizeObserver(measure).observe(document.body);
    measure();
  };
  if (document.body) begin();
  else document.addEventListener("DOMContentLoaded", begin, { once: true });
})();
