// Chooses light or dark before the first paint, so that a reader who prefers dark never
// sees a white flash. On a page of the site Material's own script runs right after this
// one and puts back what the reader chose by hand. On an embedded page, which loads no
// Material, `?theme=light|dark|auto` decides, and auto follows the system while it changes;
// assets/embed.js tells when the page around asks for something else.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const embedded = root.classList.contains("embed");
  let asked = embedded ? new URLSearchParams(location.search).get("theme") : null;
  const apply = () => {
    const scheme = asked === "dark" || (asked !== "light" && dark.matches) ? "slate" : "default";
    (embedded ? root : document.body).setAttribute("data-md-color-scheme", scheme);
  };
  apply();
  if (!embedded) return;
  dark.addEventListener("change", apply);
  document.addEventListener("sim:theme", (event) => {
    asked = event.detail;
    apply();
  });
})();
