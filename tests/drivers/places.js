/* A function that `places.py` has every browser call in a page: it goes through the widgets as a reader
   would, and leaves what came of it in `window.simPlaces`, one record for each widget.

   depth   "whole": each widget starts, reacts and plays; "starts": the first of each pattern in the
           page does, the others start and tell their digest; "sample": the others are left alone.

   Everything that the widget shows is found by its role in the page (`data-do`); nothing here knows
   a pattern. Digests and the link of the changed run are compared with CPython's by the caller. */
(depth) => {
  if (window.simPlaces) return;
  const STARTS_MS = 120_000;
  const ANSWERS_MS = 60_000;
  const LOOK_MS = 15;
  const STANDS_MS = 120;
  const found = (window.simPlaces = { done: false, first: null, records: [] });

  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  async function until(what, condition, limit = ANSWERS_MS) {
    const end = performance.now() + limit;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`${what}: not in ${limit / 1000} s`);
      await sleep(LOOK_MS);
    }
  }

  async function visit(widget, record, step) {
    const control = (name) => widget.querySelector(`[data-do=${name}]`);
    const enabled = (element) => element && element.getAttribute("aria-disabled") !== "true";
    const clock = () => widget.querySelector(".sim-clock").textContent;
    const playing = () => control("toggle").textContent.includes("Pause");
    const digest = async () => (await widget.ask({ do: "digest" })).digest;
    const action = () =>
      [...widget.querySelectorAll("button[data-do=act], .sim-form[data-do=act] button")].find(enabled);

    const place = () => widget.querySelector(".sim-scrubber").getAttribute("value") + clock();

    async function press(name) {
      if (!enabled(control(name))) return;
      const before = place();
      control(name).click();
      await until(`${name} to be done`, () => place() !== before);
    }

    step("start");
    widget.scrollIntoView({ block: "center" });
    const begun = performance.now();
    const bad = () => widget.querySelector(":scope > .sim-notice--bad");
    // Chromium without a screen draws a frame of another site only when that asks for it, and tells
    // it only then what has come into sight.
    const drawn = setInterval(() => requestAnimationFrame(() => {}), 100);
    await until("ready", () => "ready" in widget.dataset || bad(), STARTS_MS).finally(() => clearInterval(drawn));
    if (bad()) throw new Error(bad().textContent);
    record.ready_ms = performance.now() - begun;
    found.first ??= performance.now();
    record.digest = await digest();
    const shown = clock();
    if (!record.thorough) return;

    step("react");
    // There must be something to come that acting undoes, and something that one can do.
    if (enabled(control("back"))) await press("back");
    if (!action()) await press("start");
    while (!action()) {
      if (!enabled(control("step"))) throw new Error("no moment of this run allows an action");
      await press("step");
    }
    record.action = action().id;
    action().click();
    const message = () => widget.querySelector(".sim-message").textContent;
    const changed = () => widget.querySelector(".sim-watch").textContent.startsWith("You have changed");
    await until("a changed run", () => changed() || message() || bad());
    record.message = message();
    record.link = (await widget.ask({ do: "link" })).link;
    record.changed = await digest();

    step("undo");
    // Where nothing was to come, acting undid nothing, and Reset is the way back.
    control(control("return") ? "return" : "reset").click();
    await until("the run before", () => !changed());
    record.undone = await digest();

    step("play");
    const paused = clock();
    control("toggle").click();
    await until("a clock that goes by itself", () => clock() !== paused);
    // A short story may be over by now, and then it has paused by itself.
    if (playing()) control("toggle").click();
    await until("Play in the place of Pause", () => !playing());
    const stopped = clock();
    await sleep(STANDS_MS);
    record.stands = clock() === stopped;

    step("reset");
    control("reset").click();
    await until("the first moment", () => clock() === shown);
    record.reset = await digest();
  }

  /* Lines are lit in the panel that loads more than any other. */
  async function light(widget) {
    const panel = widget.querySelector("details[data-panel=code]");
    panel.scrollIntoView({ block: "center" });
    panel.open = true;
    await until("lines of the event on show", () => panel.querySelector(".sim-code-ran"));
  }

  (async () => {
    await until("sim-widget", () => customElements.get("sim-widget"));
    const visited = [];
    for (const widget of document.querySelectorAll("sim-widget")) {
      const { pattern, scenario } = widget.dataset;
      const first = !found.records.some((other) => other.pattern === pattern);
      if (!first && depth === "sample") continue;
      const thorough = first || depth === "whole";
      const record = { pattern, scenario, thorough, stopped_at: "start" };
      const begun = performance.now();
      found.records.push(record);
      visited.push(widget);
      try {
        await visit(widget, record, (name) => (record.stopped_at = name));
        record.stopped_at = null;
      } catch (problem) {
        record.problem = String(problem.message ?? problem);
        record.notice = widget.querySelector(":scope > .sim-notice")?.textContent ?? null;
        record.scene = Boolean(widget.querySelector(".sim-scene svg"));
      }
      record.took_ms = performance.now() - begun;
    }
    const last = visited.findLastIndex((widget) => Number(widget.querySelector(".sim-scrubber").max));
    visited[last].querySelector("[data-do=end]").click();
    await light(visited[last]).catch((problem) => (found.records[last].problem ??= `code panel: ${problem.message}`));
    found.done = true;
  })();
}
