/* On a page for iframes: tells the page around it how tall it is, and what happens in it.

   Messages are plain objects: {source: "survive-chaos", type: "resize", height}, in CSS pixels, and
   {source: "survive-chaos", type: "ready" | "frame", id}. They hold nothing of the reader, and the
   page around may be anybody's, so they go to any origin. */
"use strict";
(() => {
  if (parent === self) return;
  const tell = (message) => parent.postMessage({ source: "survive-chaos", ...message }, "*");
  let told = 0;
  const measure = () => {
    // The body and not the document: a document is never shorter than its frame.
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height === told) return;
    told = height;
    tell({ type: "resize", height });
  };
  for (const kind of ["ready", "frame"]) {
    document.addEventListener(`sim:${kind}`, (event) => tell({ type: kind, id: event.detail.id }));
  }
  const begin = () => {
    new ResizeObserver(measure).observe(document.body);
    measure();
  };
  if (document.body) begin();
  else document.addEventListener("DOMContentLoaded", begin, { once: true });
})();
