/* One custom element, `<sim-widget>`: it turns what the reader does into messages, and patches the
   HTML that comes back into the page. It knows no pattern; everything it shows was drawn by Python.

   Life of a widget. The page holds the first frame as plain HTML. When the reader shows interest
   (the widget comes near the viewport while the page is idle, or is touched) the runtime starts,
   once for the page; what the reader does meanwhile is kept and carried out in order. Each answer
   carries the new frame, the time until the next one, and `saved`: all it takes to make the run
   again, so that a run survives the worker that computed it.

   Custom elements are upgraded whenever they enter the document, so instant navigation needs no
   subscription here; the runtime belongs to this script and lives on from page to page. */
"use strict";
(() => {
  if (globalThis.customElements?.get("sim-widget")) return;

  const HERE = document.currentScript.src;
  const ANSWER_MS = 10_000;
  // To open a story is to run it whole, which takes an old phone its time, and always ends.
  const OPEN_MS = 40_000;
  const STALLED_MS = 30_000;
  const UPDATED = "This site has been updated since this page was opened, and the old simulation is gone. Reload the page to go on.";
  // A screen reader needs its time for a sentence: while a run plays it is told the newest one this
  // often, and when the reader steps, at once, but not thirty times a second while a key is held.
  const PLAYING_MS = 3_000;
  const STEPPING_MS = 600;
  const MB = 1_000_000;
  const TOO_OLD = "This browser is too old to run the simulation.";
  // PyScript cannot even be loaded where there are no workers.
  const NO_WORKER = "This browser cannot run the simulation: it does not allow web workers.";
  const BEING_FILLED = "input:not(.sim-scrubber), select, .sim-scrubber:active";
  const FORM = ".sim-form";
  const KEPT = ".sim-form[data-dirty] :is(input, select)";
  // What a panel shows is its own: no frame changes it.
  const OWN = ".sim-own";
  const SHARED = ".sim-shared";
  const KEYS = {
    " ": "toggle", k: "toggle", ArrowRight: "step", ArrowLeft: "back", Home: "start", End: "end",
    r: "reset", n: "next", p: "last", u: "return", ">": "faster", "<": "slower",
  };
  const PICTURE = "svg, svg *, .sim-trace li, .sim-readout, .sim-light";

  // --- The runtime, one for the page ------------------------------------------------------------

  const widgets = new Set();
  let loading = null;

  /* What this page was built with: the name of the runtime's build, then file and digest by turns.
     `pysims/offline/` writes it into finished pages; where it is missing, nothing is compared. */
  const builtWith = () => document.querySelector("meta[name=sim-build]")?.content ?? "";
  const BUILT_WITH = builtWith();
  const OVER_HTTP = location.protocol.startsWith("http");
  // Elsewhere browsers refuse every script that comes with a digest.
  const CHECKED = OVER_HTTP && self.origin !== "null" && new URL(HERE).origin === self.origin;

  /* An element that loads a file; rejects without a reason, since browsers give none. */
  function placed(kind, address, url, file) {
    const element = document.createElement(kind);
    const words = builtWith().split(" ");
    const digest = words[words.indexOf(file) + 1];
    if (CHECKED && digest.startsWith("sha256-")) element.integrity = digest;
    if (kind === "link") element.rel = "stylesheet";
    element[address] = url;
    return new Promise((resolve, reject) => {
      element.onload = () => (kind === "script" && element.remove(), resolve());
      element.onerror = () => (element.remove(), reject());
      document.head.append(element);
    });
  }

  /* Once more, past the browser's cache: what lies there may be damaged, or of the build before. */
  async function placedAnew(kind, address, url, file) {
    if (!CHECKED) throw new Error(`The file ${file} could not be loaded.`);
    const response = await fetch(url, { cache: "reload" })
      .then((found) => found.arrayBuffer().then(() => found))
      .catch(() => null);
    if (!response) throw new Error(`The connection failed before ${file} was there.`);
    if (!response.ok) throw new Error(`The file ${file} could not be found.`);
    return placed(kind, address, url, file).catch(() => {
      throw new Error(`The file ${file} arrived damaged or altered, and was not used.`);
    });
  }

  async function bring(kind, address, file) {
    const what = [kind, address, new URL(file, HERE).href, file];
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`The file ${file} did not come.`)), STALLED_MS);
    });
    try {
      await Promise.race([late, placed(...what).catch(() => placedAnew(...what))]);
    } catch (problem) {
      throw Object.assign(problem, { code: "file-missing" });
    } finally {
      clearTimeout(timer);
    }
  }

  const script = (file) => bring("script", "src", file);
  const stylesheet = (file) => bring("link", "href", file);

  const pause = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

  async function load() {
    // Reading the script and starting what it brings are two tasks, so that a slow phone can draw between.
    if (!globalThis.simRuntime) await (loading ??= script("runtime/sim-runtime.js").then(() => pause())).catch(notLoaded);
    // A script that a browser cannot even read leaves nothing behind.
    if (!globalThis.simRuntime) {
      loading = null;
      if (!globalThis.Worker) throw new Error(NO_WORKER);
      const old = typeof DecompressionStream !== "function";
      throw new Error(old ? TOO_OLD : "The simulation arrived damaged or incomplete.");
    }
    // The page is of one build and the runtime of another: its frames would not fit.
    const build = globalThis.__simManifest?.build;
    if (BUILT_WITH && (builtWith() !== BUILT_WITH || (build && !BUILT_WITH.startsWith(build)))) throw new Error(UPDATED);
    return globalThis.simRuntime;
  }

  /* Whether the server has another build of this page now, which explains why files are gone. */
  async function isOutdated() {
    if (!BUILT_WITH || !OVER_HTTP) return false;
    try {
      const options = { cache: "no-cache", signal: AbortSignal.timeout(4000) };
      const text = await (await fetch(location.href.replace(/#.*/s, ""), options)).text();
      const found = text.match(/<meta name="sim-build" content="([^"]*)"/);
      return Boolean(found) && found[1] !== BUILT_WITH;
    } catch {
      return false;
    }
  }

  /* Whether it failed because the site was updated; then the runs are kept for the reload. */
  async function gone(problem) {
    const mayBe = /^(file-|version-)/.test(problem.code);
    if (problem.message !== UPDATED && !(mayBe && (await isOutdated()))) return false;
    keepRuns();
    return true;
  }

  /* A reload brings the runs of this page back. Storage may be forbidden; the history then holds them. */
  const KEY = "sim-runs";

  function keepRuns() {
    const runs = [...widgets].flatMap(({ id, saved }) => (saved ? [[id, saved]] : []));
    const kept = JSON.stringify({ page: location.pathname, runs: Object.fromEntries(runs) });
    try {
      sessionStorage.setItem(KEY, kept);
    } catch {
      history.replaceState({ ...history.state, [KEY]: kept }, "");
    }
  }

  function keptRuns() {
    try {
      let kept = history.state?.[KEY];
      if (kept) history.replaceState({ ...history.state, [KEY]: undefined }, "");
      if (!kept) {
        kept = sessionStorage.getItem(KEY);
        sessionStorage.removeItem(KEY);
      }
      const { page, runs } = JSON.parse(kept) ?? {};
      return page === location.pathname ? runs : {};
    } catch {
      return {};
    }
  }

  const kept = keptRuns();

  function notLoaded(problem) {
    loading = null;
    throw problem;
  }

  /* A worker with Python in it, and what is asked of it. All widgets of a page share one; a widget
     whose code the reader has changed gets a desk of its own, which may hang without the others. */
  class Desk {
    #runtime = null;
    #brought = new Map();
    #answered = Promise.resolve();

    constructor(answerMs = ANSWER_MS, openMs = OPEN_MS) {
      this.answerMs = answerMs;
      this.openMs = openMs;
    }

    get #users() {
      return [...widgets].filter((widget) => widget.desk === this);
    }

    async #start() {
      return (await load()).start({
        onProgress: (progress) => this.#users.forEach((widget) => widget.showProgress(progress)),
        onDeath: (reason) => this.#died(reason),
        // A slow machine has its time; `ask` keeps a closer watch on answers, one by one.
        bootTimeoutMs: 90_000,
        callTimeoutMs: 600_000,
      });
    }

    ready() {
      this.#runtime ??= this.#start().catch((problem) => {
        this.#runtime = null;
        throw problem;
      });
      return this.#runtime;
    }

    /* The code of a pattern comes with the first widget that shows it, while Python starts. */
    bring(pattern) {
      if (!this.#brought.has(pattern)) {
        const coming = this.#shelve(pattern);
        coming.catch(() => this.#brought.delete(pattern));
        this.#brought.set(pattern, coming);
      }
      return this.#brought.get(pattern);
    }

    async #shelve(pattern) {
      const started = this.ready();
      const coming = load().then((loaded) => loaded.pattern(pattern));
      const [, code] = await Promise.all([started, coming]);
      if (code === null) return;
      const { error, traceback } = await this.ask({ do: "shelve", pattern, code });
      if (error) throw Object.assign(new Error(error), { python: traceback });
    }

    /* The worker is gone: every widget that used it says so, and starts it again when asked. */
    #died(reason) {
      this.#runtime = null;
      this.#brought.clear();
      this.#users.forEach((widget) => widget.lostRuntime(reason));
    }

    async end() {
      const ending = this.#runtime;
      this.#runtime = null;
      this.#brought.clear();
      (await ending?.catch(() => null))?.terminate();
    }

    /* A message whose answer nobody waits for, if there is a worker at all. */
    tell(message) {
      this.#runtime?.then((worker) => worker.call(JSON.stringify(message))).catch(() => {});
    }

    /* A worker cannot be interrupted, only ended; an answer that does not come ends it. It answers
       in the order of the questions, so the time for an answer begins when the one before has come:
       a page that opens twelve figures at once must not count the first eleven against the last. */
    async ask(message) {
      const worker = await this.ready();
      const before = this.#answered;
      const answer = worker.call(JSON.stringify(message));
      this.#answered = answer.catch(() => null);
      const allowed = ["open", "shelve"].includes(message.do) ? this.openMs : this.answerMs;
      let timer = 0;
      const late = new Promise((_, reject) => {
        before.then(() => {
          if (timer === null) return;
          timer = setTimeout(() => {
            const says = `The simulation did not answer for ${allowed / 1000} seconds and was stopped.`;
            reject(Object.assign(new Error(says), { late: true }));
          }, allowed);
        });
      });
      try {
        return JSON.parse(await Promise.race([answer, late]));
      } catch (problem) {
        if (problem.late) {
          this.#answered = Promise.resolve();
          await this.end();
          this.#died(problem);
        }
        throw problem;
      } finally {
        clearTimeout(timer);
        timer = null;
      }
    }
  }

  const everyday = new Desk();

  // --- Panels that come when they are opened ------------------------------------------------------

  /* What few readers open is not loaded with the page: `<details data-panel="code">` brings
     `panel-code.js` and `panel-code.css`. The script leaves a function in `simPanels.code`, which is
     called with the widget and the panel's own box, and gives an object: `shown(answer)` is called
     with every picture while the panel is open, and when it is opened. */
  const panels = (globalThis.simPanels ??= {});
  const panelsLoading = new Map();

  function panelFor(name) {
    if (!panelsLoading.has(name)) {
      const coming = Promise.all([script(`panel-${name}.js`), stylesheet(`panel-${name}.css`)]);
      coming.catch(() => panelsLoading.delete(name));
      panelsLoading.set(name, coming);
    }
    return panelsLoading.get(name).then(() => panels[name]);
  }

  // --- Copying ------------------------------------------------------------------------------------

  function escaped(text) {
    return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  }

  /* Frames and pages from disk may be forbidden to write to the clipboard; the older way needs a
     field with the text, and that stays on the page for the reader to copy himself. */
  async function copied(field) {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch {
      field.select();
      return document.execCommand("copy");
    }
  }

  // --- Interest and visibility ------------------------------------------------------------------

  const idle = globalThis.requestIdleCallback ?? ((callback) => setTimeout(callback, 200));

  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) whenIdle(() => target.isConnected && target.interest());
      }
    },
    { rootMargin: "200px" },
  );
  /* Before it can be seen, a figure takes its controls out of the templates in which they came. */
  const soon = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) target.unfold();
    },
    { rootMargin: "1200px" },
  );
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) target.setVisible(isIntersecting);
  });

  function whenIdle(callback) {
    if (document.readyState === "complete") idle(callback);
    else addEventListener("load", () => idle(callback), { once: true });
  }

  // --- Runs in the address ------------------------------------------------------------------------

  /* `#name?v=1&…` holds a run for the figure of that name, and `#?v=1&…` one for the
     first figure of the page. What it says is read, and checked, in Python. */
  function linkFor(widget) {
    const [, name, text] = location.hash.match(/^#([^?]*)\?(.*)$/s) ?? [];
    if (text === undefined) return null;
    const meant = document.getElementById(name);
    const figure = meant?.matches("sim-widget") ? meant : document.querySelector("sim-widget");
    return figure === widget ? text : null;
  }

  addEventListener("hashchange", () => widgets.forEach((widget) => widget.follow()));

  document.addEventListener("visibilitychange", () => widgets.forEach((widget) => widget.schedule()));

  // --- The element --------------------------------------------------------------------------------

  /* The fields of a form by name, as a browser would send them. */
  function filledIn(form) {
    const fields = [...form.querySelectorAll("[name]")].filter((e) => e.type !== "checkbox" || e.checked);
    return Object.fromEntries(fields.map((e) => [e.name, e.value]));
  }

  class SimWidget extends HTMLElement {
    #queue = [];
    #busy = false;
    // Whether the first of the queue was asked, and not answered well.
    #asked = false;
    #opened = false;
    #interested = false;
    #visible = false;
    #saved = null;
    #wait = null;
    #timer = 0;
    #tickedAt = 0;
    #failed = null;
    #link = null;
    #panels = new Map();
    #shown = null;
    // The number of the drawing that stands in the page: the worker sends what differs from it.
    #drawing = null;
    #spokenAt = -Infinity;
    #speaking = 0;
    // The run as it was when the reader changed the code; while he has not, there is none.
    #original = null;
    desk = everyday;

    connectedCallback() {
      widgets.add(this);
      soon.observe(this);
      near.observe(this);
      seen.observe(this);
      for (const kind of ["click", "change", "input", "keydown", "pointerdown", "focusin"]) {
        this.addEventListener(kind, this);
      }
      // It does not bubble.
      this.addEventListener("toggle", this, { capture: true });
      if (!this.#revive()) this.follow();
    }

    disconnectedCallback() {
      widgets.delete(this);
      soon.unobserve(this);
      near.unobserve(this);
      seen.unobserve(this);
      clearTimeout(this.#timer);
      clearTimeout(this.#speaking);
      if (this.#opened) this.desk.tell({ do: "close", id: this.id });
      this.#opened = false;
      this.#leaveDesk();
    }

    /* The run that was here before the page was reloaded, if it was kept for that. */
    #revive() {
      const saved = kept[this.id];
      if (saved?.pattern !== this.dataset.pattern) return false;
      delete kept[this.id];
      this.#saved = saved;
      this.interest();
      return true;
    }

    /* Pattern, parameters, seed, script and moment: all it takes to make the run again, or null. */
    get saved() {
      return this.#original ?? this.#saved;
    }

    /* The worker's answer to a message about this widget, without showing it: for pages that embed a
       widget and for tests. `await widget.ask({do: "digest"})` gives the digest of its run. */
    async ask(message) {
      this.interest();
      while (!this.#opened && !this.#failed) await pause(20);
      if (this.#failed) throw this.#failed;
      return this.desk.ask({ id: this.id, ...message });
    }

    /* Chrome looks at every field of a page as soon as it is there, and would lay out each figure for
       that; so the controls of all but the first came in templates. */
    unfold() {
      soon.unobserve(this);
      for (const template of this.querySelectorAll("template")) template.replaceWith(template.content);
    }

    get figure() {
      return this.querySelector(":scope > .sim");
    }

    // What the reader does.

    handleEvent(event) {
      if (event.type === "pointerdown" || event.type === "focusin") return this.interest();
      if (event.type === "keydown" && !this.#isEnterInForm(event)) return this.#key(event);
      if (event.type === "toggle") return void this.#unfolded(event.target);
      // A panel answers for what is inside of it.
      if (event.target.closest(OWN)) return;
      const sharing = event.type === "click" && event.target.closest("[data-share]");
      if (sharing) return void this.#share(sharing.dataset.share);
      const target = event.target.closest("[data-do]");
      if (!target || !this.contains(target)) return;
      // Such a button keeps the focus, which a disabled one would lose.
      if (event.target.closest("[aria-disabled=true]")) return event.preventDefault();
      const message = this.#messageFor(event, target);
      if (message) this.send(message);
    }

    #messageFor(event, target) {
      const { do: what, name, value, argument } = target.dataset;
      const isForm = target.matches(FORM);
      const isField = target.matches("input, select");
      if (isForm) {
        const sent = event.type === "keydown" || event.target.closest("button");
        if (!sent) return this.#remember(event);
        delete target.dataset.dirty;
        return { do: what, name, arguments: filledIn(target) };
      }
      if (!isField) {
        if (event.type !== "click") return null;
        return { do: what, name, value, ...(argument && { arguments: { [argument]: value } }) };
      }
      const live = target.type === "range";
      if (event.type !== (live ? "input" : "change")) return null;
      if ("slider" in target.dataset) return { do: what, name, position: Number(target.value) };
      return { do: what, name, value: target.type === "checkbox" ? String(target.checked) : target.value };
    }

    /* A form is read by its button and by the Enter key. It is no `<form>`, which a sandboxed frame may
       not submit, and of which Chrome lays out every one in a page, to fill it in for the reader. */
    #isEnterInForm(event) {
      if (event.key !== "Enter" || !event.target.matches(`${FORM} input`)) return false;
      event.preventDefault();
      return true;
    }

    /* A field of a form that was not sent yet must survive the frames that arrive meanwhile. */
    #remember(event) {
      if (event.type === "input" || event.type === "change") event.target.closest(FORM).dataset.dirty = "";
      return null;
    }

    #forget(forms) {
      for (const form of this.querySelectorAll(forms)) delete form.dataset.dirty;
    }

    #key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (!event.target.matches(".sim-scene")) return;
      const what = KEYS[event.key];
      if (!what) return;
      event.preventDefault();
      // Material goes to the next page at "n", and to the one before at "p".
      event.stopPropagation();
      this.send({ do: what });
    }

    // Panels.

    async #unfolded(details) {
      const { panel } = details.dataset;
      if (!panel || !details.open) return;
      this.interest();
      const box = details.querySelector(OWN);
      if (!this.#panels.has(panel)) {
        try {
          const make = await panelFor(panel);
          if (!this.#panels.has(panel)) this.#panels.set(panel, { details, ...make(this, box) });
        } catch (problem) {
          return box.replaceChildren(await this.explained(problem));
        }
      }
      if (this.#shown) this.#panels.get(panel).shown?.(this.#shown);
    }

    /* What a panel says when it could not bring something. */
    async explained(problem) {
      return (await gone(problem)) ? UPDATED : `${problem.message} Close this panel and open it to try again.`;
    }

    // Changed code.

    /* Runs this widget with `sources` (module → text) in the place of the pattern's own, in a worker
       of its own that is ended when an answer takes longer than `answerMs`. Gives what is wrong with
       the sources, or null. */
    async useCode(sources, { answerMs }) {
      const { pattern } = this.dataset;
      if (!Object.keys(sources).length) return this.restoreCode(), null;
      const desk = new Desk(answerMs, answerMs);
      try {
        const [code] = await Promise.all([load().then((loaded) => loaded.pattern(pattern)), desk.bring(pattern)]);
        const edited = await desk.ask({ do: "edit", pattern, code, sources });
        const answer = edited.edited ? await desk.ask({ ...this.#opening(), link: null }) : edited;
        if (!answer.html) {
          await desk.end();
          return answer.problem ?? { says: answer.error };
        }
        while (this.#busy) await pause(10);
        const original = this.#original ?? this.#saved;
        this.#leaveDesk();
        this.desk = desk;
        this.#original = original;
        this.dataset.edited = "";
        this.#apply(answer);
        this.schedule();
        return null;
      } catch (problem) {
        await desk.end();
        throw problem;
      }
    }

    /* Back to the pattern's own code, and to the run as it was before. */
    restoreCode() {
      const original = this.#original;
      if (!original) return;
      this.#leaveDesk();
      this.#saved = original;
      this.#opened = false;
      this.#failed = null;
      this.#queue = [];
      this.#notice(null);
      this.#work();
    }

    #leaveDesk() {
      if (this.desk !== everyday) this.desk.end();
      this.desk = everyday;
      this.#original = null;
      delete this.dataset.edited;
    }

    // Links.

    /* The run that the address holds for this figure, if it holds one. */
    follow() {
      const text = linkFor(this);
      if (text === null) return;
      whenIdle(() => this.scrollIntoView({ block: "start" }));
      // A link is a run of the code that everybody has.
      this.restoreCode();
      if (this.#opened || this.#saved) return this.send({ do: "follow", value: text });
      this.#link = text;
      this.interest();
    }

    /* The address of this run, also put into the address bar, so that a reload comes back to it. */
    async #share(what) {
      const box = this.querySelector(SHARED);
      let text;
      try {
        text = await this.#address(what);
      } catch (problem) {
        box.replaceChildren(`${problem.message}`);
        return;
      }
      const field = document.createElement("textarea");
      field.readOnly = true;
      field.rows = what === "link" ? 3 : 4;
      field.value = text;
      field.setAttribute("aria-label", what === "link" ? "Link" : "Embed code");
      box.replaceChildren(field);
      const says = (await copied(field)) ? "Copied." : "Copy this:";
      box.prepend(this.#original ? `${says} It holds the run, and not your change of the code.` : says);
    }

    async #address(what) {
      const answer = await this.ask({ do: "link" });
      if (!answer.link) throw new Error(answer.refusal);
      const { pattern } = this.dataset;
      const here = location.href.replace(/#.*$/s, "");
      if (what === "link") {
        const hash = `#${this.id}?${answer.link}`;
        history.replaceState(history.state, "", hash);
        return here + hash;
      }
      const { scenario } = answer;
      const height = Math.ceil(this.getBoundingClientRect().height) + 40;
      const title = this.querySelector(".sim-title").textContent;
      if (what === "script") {
        const data = { sim: pattern, scenario, run: answer.link, title, height };
        const given = Object.entries(data).map(([name, value]) => ` data-${name}="${escaped(String(value))}"`);
        return `<script async src="${escaped(new URL("embed-here.js", HERE).href)}"${given.join("")}></script>`;
      }
      const page = new URL(`../embed/${pattern}/${scenario}.html`, HERE).href;
      return (
        `<iframe src="${escaped(`${page}#?${answer.link}`)}" title="${escaped(title)}" loading="lazy" ` +
        `style="width: 100%; height: ${height}px; border: 0"></iframe>`
      );
    }

    // Messages, one at a time and in order.

    interest() {
      if (this.#interested) return;
      this.unfold();
      this.#interested = true;
      this.classList.add("sim-starting");
      this.#work();
    }

    send(message) {
      if (message.do === "reset" || message.do === "scenario") this.#forget(FORM);
      if (message.do === "act") this.#forget(`${FORM}:has(select)`);
      const last = this.#queue.at(-1);
      const sliding = message.do === "seek" || message.do === "param";
      // While a slider moves, only its newest position matters. One that was asked is on its way.
      const waits = this.#queue.length > (this.#asked ? 1 : 0);
      if (sliding && waits && last.do === message.do && last.name === message.name) this.#queue.pop();
      this.#queue.push(message);
      this.#interested = true;
      this.#work();
    }

    async #work() {
      if (this.#busy || this.#failed) return;
      this.#busy = true;
      clearTimeout(this.#timer);
      const { desk } = this;
      try {
        if (!this.#opened) {
          await desk.bring(this.dataset.pattern);
          this.#apply(await desk.ask(this.#opening()), true);
          this.#opened = true;
        }
        while (this.#queue.length && this.isConnected && this.desk === desk) {
          const message = { id: this.id, shows: this.#drawing, ...this.#queue[0] };
          this.#asked = true;
          const answer = await desk.ask(message);
          if (this.desk !== desk) break;
          this.#queue.shift();
          this.#asked = false;
          if (answer.error && this.#original) this.#panels.get("code").mistake(answer);
          else this.#apply(answer);
          if (answer.more && !this.#queue.length) this.#queue.push({ do: "show" });
        }
      } catch (problem) {
        if (this.desk === desk) this.#fail(problem);
      } finally {
        this.#busy = false;
        this.classList.remove("sim-starting");
      }
      if (this.desk === desk) this.schedule();
      else this.#work();
    }

    #opening() {
      const { pattern, scenario, overrides, seed } = this.dataset;
      return {
        do: "open",
        id: this.id,
        pattern,
        scenario,
        overrides: JSON.parse(overrides ?? "{}"),
        seed: seed === undefined ? null : Number(seed),
        saved: this.#saved,
        link: this.#link,
      };
    }

    #apply(answer, first = false) {
      if (answer.error) throw Object.assign(new Error(answer.error), { python: answer.traceback });
      if (!answer.drawing) return;
      this.#drawing = answer.drawing;
      this.#saved = answer.saved;
      this.#wait = answer.wait_ms;
      this.#notice(null);
      this.#patch(answer);
      if (first) {
        this.dataset.ready = "";
        this.#tell("ready");
      }
      this.#tell("frame");
      if (!first) this.#speak();
      // The rest of the run is still being computed.
      if (answer.more) return;
      const before = this.#shown && JSON.stringify(this.#shown.moment);
      this.#shown = answer;
      if (before && before !== JSON.stringify(answer.moment)) this.#tell("event", answer.moment);
      for (const panel of this.#panels.values()) {
        if (panel.details.open) panel.shown?.(answer);
      }
    }

    /* Brings a new picture in: all of the figure, or the parts that differ, by where they are. */
    #patch({ html, parts = {}, refused = false }) {
      const within = this.contains(document.activeElement);
      // What is being typed stays; a button that has the focus still gets its new label. The scrubber
      // shows where the run is, so it is left alone only while it is held. After a refusal a field
      // shows again what is in force, also the one that has the focus.
      const held = !refused && document.activeElement?.matches(BEING_FILLED) ? document.activeElement : null;
      if (html) this.#morph(this.figure, html, held);
      for (const [place, part] of Object.entries(parts)) this.#morph(this.figure.querySelector(place), part, held);
      this.#settle(held);
      if (within && !this.contains(document.activeElement)) {
        this.querySelector(".sim-scene").focus({ preventScroll: true });
      }
    }

    #morph(element, html, held) {
      globalThis.Idiomorph.morph(element, html, {
        morphStyle: "outerHTML",
        ignoreActiveValue: Boolean(held),
        callbacks: {
          // What the reader unfolded stays unfolded, and what he began to fill in stays marked.
          beforeAttributeUpdated: (name, node) =>
            name !== "data-dirty" && !(name === "open" && node.matches("details")),
          // Comparing natively is faster than patching what is equal; not for fields, though, whose
          // value may have changed without a trace in the document.
          beforeNodeMorphed: (node, next) =>
            !(node.nodeType === 1 && (node.matches(KEPT) || node.matches(OWN) || (node.matches(PICTURE) && node.isEqualNode(next)))),
        },
      });
    }

    /* Fields show what is in force, also in parts that are as they were: the reader may have entered
       what was not accepted, or means the same. */
    #settle(held) {
      for (const field of this.figure.querySelectorAll("input, option")) {
        const owner = field.closest("select") ?? field;
        if (owner === held || owner.matches(`${KEPT}, ${OWN} *, .sim-scrubber:active`)) continue;
        if (field.matches("option")) field.selected = field.defaultSelected;
        else if (field.type === "checkbox") field.checked = field.defaultChecked;
        else if (field.value !== field.defaultValue) field.value = field.defaultValue;
      }
    }

    /* The newest sentence goes into the live region when the last one has had its time. */
    #speak() {
      const box = this.querySelector(".sim-spoken");
      const says = this.querySelector(".sim-says").textContent;
      clearTimeout(this.#speaking);
      if (!box || box.textContent === says) return;
      const due = this.#spokenAt + (this.#wait === null ? STEPPING_MS : PLAYING_MS);
      if (performance.now() < due) {
        this.#speaking = setTimeout(() => this.#speak(), due - performance.now());
        return;
      }
      this.#spokenAt = performance.now();
      box.textContent = says;
    }

    #tell(kind, more = {}) {
      const detail = { id: this.id, pattern: this.dataset.pattern, ...more };
      this.dispatchEvent(new CustomEvent(`sim:${kind}`, { bubbles: true, detail }));
    }

    // Time.

    setVisible(visible) {
      this.#visible = visible;
      this.schedule();
    }

    schedule() {
      clearTimeout(this.#timer);
      const runs = this.#wait !== null && this.#opened && !this.#busy && !this.#failed;
      if (!runs || !this.#visible || document.hidden) {
        this.#tickedAt = 0;
        return;
      }
      const now = performance.now();
      this.#tickedAt ||= now;
      this.#timer = setTimeout(() => {
        const elapsed = performance.now() - this.#tickedAt;
        this.#tickedAt = performance.now();
        this.send({ do: "tick", value: elapsed });
      }, this.#wait);
    }

    // When something goes wrong.

    lostRuntime(reason) {
      if (this.#original) return this.#panels.get("code").lost(reason);
      const used = this.#opened || this.#busy;
      this.#opened = false;
      if (used) this.#fail(reason instanceof Error ? reason : new Error(String(reason)));
    }

    async #fail(problem) {
      if (this.#failed) return;
      this.#failed = problem;
      this.classList.remove("sim-starting");
      console.warn(problem.python ?? problem);
      if (await gone(problem)) {
        return this.#notice(UPDATED, () => (keepRuns(), location.reload()), "Reload the page");
      }
      const sentence = problem.python
        ? `The simulation made a mistake: ${problem.message}.`
        : problem.message;
      this.#notice(`${sentence} The picture stands where it was.`, () => this.#again(problem));
    }

    /* What failed because of itself is not sent again; what failed because the worker did, is. */
    #again(problem) {
      const itself = problem.python || problem.late || problem.code === "out-of-memory";
      if (itself && this.#asked) this.#queue.shift();
      this.#asked = false;
      // A run that cannot be opened is not tried twice; the story is there instead.
      if (problem.python && !this.#opened) this.#saved = null;
      this.#failed = null;
      // A run from a link that did not end well is not tried twice; one that never began is.
      if (problem.python || problem.late) this.#link = null;
      this.#notice(null);
      this.classList.add("sim-starting");
      this.#work();
    }

    showProgress({ loaded, total }) {
      if (!this.#interested || this.#opened || this.#failed) return;
      const text = `Starting Python: ${(loaded / MB).toFixed(1)} of ${(total / MB).toFixed(1)} MB`;
      this.#notice(this.#queue.length ? `${text}. Your click is kept.` : text);
    }

    #notice(text, again = null, label = "Try again") {
      let box = this.querySelector(":scope > .sim-notice");
      if (text === null) return box?.remove();
      if (!box) {
        box = document.createElement("div");
        box.className = "sim-notice";
        this.append(box);
      }
      box.setAttribute("role", again ? "alert" : "status");
      box.classList.toggle("sim-notice--bad", Boolean(again));
      box.replaceChildren(text);
      if (again) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "sim-button sim-again";
        button.textContent = label;
        button.addEventListener("click", again);
        box.append(" ", button);
      }
    }
  }

  customElements.define("sim-widget", SimWidget);
})();
