/* The panel "Code that ran": the pattern's own source beside its run.

   The event on show is run once more in the worker, line by line (see pysims/widget/ran.py); here its
   lines are lit, its values stand beside them, and the reader walks through it. "Edit" opens the
   file in an editor; a changed model runs in a worker of its own, which is ended when it hangs, and
   the page shows its run beside the original's. What the reader writes stays in this page. */
"use strict";
(() => {
  // An edited model may be slow, and may never answer; the reader waits no longer than this.
  const EDIT_MS = 8_000;
  const WALK_MS = 450;
  const sources = new Map();
  // Pattern → module → the reader's text, until he leaves the page or restores the original.
  const drafts = new Map();

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children);
    return element;
  }

  function press(label, onClick) {
    const button = make("button", "sim-button", label);
    button.type = "button";
    button.addEventListener("click", onClick);
    return button;
  }

  function plural(count, what) {
    return `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;
  }

  /* A place in the state, which may break where a part of it ends. */
  function path(text) {
    const code = make("code", "");
    for (const part of text.split(/(?=[.[])/)) code.append(part, document.createElement("wbr"));
    return code;
  }

  function sourcesOf(pattern) {
    if (!sources.has(pattern)) {
      const coming = globalThis.simRuntime.sources(pattern);
      coming.catch(() => sources.delete(pattern));
      sources.set(pattern, coming);
    }
    return sources.get(pattern);
  }

  /* Our own build wrote the HTML; what a reader has changed is only ever text. */
  function textOf(html) {
    const element = document.createElement("template");
    element.innerHTML = html;
    return element.content.textContent;
  }

  class Module {
    constructor({ name, file, lines, functions }) {
      this.name = name;
      this.file = file;
      this.short = file.replace(/^.*\//, "");
      this.html = lines;
      this.functions = functions;
      this.texts = lines.map(textOf);
      this.known = new Map(lines.map((html, at) => [this.texts[at], html]));
      this.current = this.texts;
    }

    get text() {
      return `${this.texts.join("\n")}\n`;
    }

    /* The lines as they are now: those that the reader left alone keep their colors. */
    use(text) {
      this.current = text === undefined ? this.texts : text.replace(/\n$/, "").split("\n");
      this.changed = text !== undefined && text !== this.text;
    }

    /* Where a function begins and ends; in a changed file, found by what begins at the margin. */
    blockAt(line) {
      if (!this.changed) {
        return this.functions.find(([first, last]) => first <= line && line <= last);
      }
      const begins = (text) => /^(async def|def|class|@)\b|^@/.test(text);
      let first = line;
      while (first > 1 && !begins(this.current[first - 1])) first -= 1;
      let last = line;
      while (last < this.current.length && !/^\S/.test(this.current[last] ?? "")) last += 1;
      while (last > line && !this.current[last - 1].trim()) last -= 1;
      return [first, last, ""];
    }
  }

  class Panel {
    constructor(widget, box) {
      this.widget = widget;
      this.box = box;
      this.modules = [];
      // The file on show, and the one that the reader chose; a walk leads through others, too.
      this.shownModule = this.chosen = null;
      this.onlyRan = true;
      this.open = new Set();
      this.asked = "";
      this.ran = null;
      this.at = 0;
      this.editor = null;
      this.build();
    }

    build() {
      this.says = make("p", "sim-code-says");
      this.says.setAttribute("role", "status");
      this.tabs = make("div", "sim-code-tabs");
      this.tabs.setAttribute("role", "group");
      this.tabs.setAttribute("aria-label", "Files of the model");
      const only = make("input");
      only.type = "checkbox";
      only.checked = true;
      only.addEventListener("change", () => ((this.onlyRan = only.checked), this.draw()));
      this.only = make("label", "sim-inline", only, " Only the functions that ran");
      this.editButton = press("Edit", () => this.edit());
      this.restoreButton = press("Restore", () => this.restore());
      this.bar = make("div", "sim-code-bar", this.tabs, this.only, this.editButton);
      this.view = make("div", "sim-code-view");
      this.view.tabIndex = 0;
      this.view.setAttribute("role", "group");
      this.view.setAttribute("aria-keyshortcuts", "ArrowLeft ArrowRight");
      this.view.addEventListener("keydown", (event) => this.key(event));
      this.view.addEventListener("click", (event) => this.clicked(event));
      this.buildWalk();
      this.editing = make("div", "sim-code-editing");
      this.editing.hidden = true;
      this.trouble = make("p", "sim-code-trouble");
      this.trouble.setAttribute("role", "alert");
      this.facts = make("div", "sim-code-facts");
      this.versus = make("div", "sim-code-versus");
      this.box.append(this.says, this.bar, this.view, this.editing, this.trouble, this.walk, this.facts, this.versus);
    }

    buildWalk() {
      this.first = press("First line", () => this.go(0));
      this.back = press("Line back", () => this.go(this.at - 1));
      this.next = press("Next line", () => this.forward());
      this.play = press("Walk", () => this.walkOrStop());
      this.all = press("All lines", () => this.go(this.last));
      this.where = make("p", "sim-code-where");
      this.where.setAttribute("role", "status");
      this.walk = make("div", "sim-code-walk", this.first, this.back, this.next, this.play, this.all, this.where);
      this.walk.setAttribute("role", "group");
      this.walk.setAttribute("aria-label", "Line by line");
    }

    get last() {
      return this.ran ? this.ran.steps.length : 0;
    }

    // --- What ran -------------------------------------------------------------------------------

    /* Called with every picture while the panel is open. */
    async shown(answer) {
      const key = JSON.stringify([answer.moment, answer.saved.seed, answer.saved.params]);
      if (key === this.asked || this.editor) return;
      this.asked = key;
      // While a run plays, the next event may be here before the answer is; the newest one counts.
      if (this.asking) return void (this.askAgain = answer);
      this.asking = true;
      try {
        await this.bringSources();
        const { ran, refusal } = await this.widget.ask({ do: "ran" });
        if (refusal) this.tellOnly(refusal);
        else if (ran) this.take(ran);
      } catch (problem) {
        // Opened again, it asks again.
        this.asked = "";
        this.tellOnly(await this.widget.explained(problem));
      } finally {
        this.asking = false;
        const again = this.askAgain;
        this.askAgain = null;
        if (again) {
          this.asked = "";
          this.shown(again);
        }
      }
    }

    tellOnly(text) {
      this.ran = null;
      this.says.replaceChildren(text);
      this.draw();
    }

    async bringSources() {
      if (this.modules.length) return;
      const { modules } = await sourcesOf(this.widget.dataset.pattern);
      this.modules = modules.map((module) => new Module(module));
      this.shownModule = this.chosen = this.modules[0];
    }

    take(ran) {
      this.ran = ran;
      this.numbers = ran.modules.map((name) => this.modules.findIndex((module) => module.name === name));
      this.ran.steps = ran.steps.filter(([file]) => this.numbers[file] >= 0);
      this.open.clear();
      this.counts = this.modules.map(() => new Map());
      for (const [file, line, times] of ran.lines) this.counts[this.numbers[file]]?.set(line, times);
      const lit = this.counts.map((lines) => lines.size);
      this.shownModule = this.home();
      this.at = this.stepping ? 0 : this.last;
      // All lines of a new event are lit at first; the walk through it has not begun.
      this.entered = Boolean(this.stepping);
      this.stepping = false;
      this.sayWhat(lit);
      this.drawFacts();
      this.draw(true);
      this.widget.dispatchEvent(new CustomEvent("sim:lit"));
      if (this.walking) this.walkOn();
    }

    /* The file that the reader chose, or the first that ran where nothing of his did. */
    home() {
      const ran = (module) => this.counts[this.modules.indexOf(module)].size;
      return [this.chosen, ...this.modules].find(ran) ?? this.chosen;
    }

    sayWhat(lit) {
      const files = this.modules.map(({ short }, at) => [short, lit[at]]).filter(([, lines]) => lines);
      const where = files.map(([short, lines]) => `${lines} in ${short}`).join(", ");
      const lines = lit.reduce((sum, number) => sum + number, 0);
      const begins = this.ran.at === 0 ? "The start of the run" : `Event ${this.ran.at}`;
      const differs = this.ran.same ? "" : " Run once more, it led to another state: this model is not a pure function.";
      const event = make("code", "", this.ran.event);
      const tail = lines ? `ran ${plural(lines, "line")}: ${where}.${differs}` : `ran nothing of these files.${differs}`;
      this.says.replaceChildren(`${begins} `, ...(this.ran.at ? [event, " "] : []), tail);
    }

    // --- Lines ----------------------------------------------------------------------------------

    draw(follow = false) {
      this.drawTabs();
      const { shownModule: module } = this;
      if (this.widget.hasAttribute("data-edited")) this.bar.append(this.restoreButton);
      else this.restoreButton.remove();
      this.walk.hidden = this.bar.hidden = this.view.hidden = Boolean(this.editor) || !module;
      this.facts.hidden = Boolean(this.editor);
      if (!module || this.editor) return;
      const number = this.modules.indexOf(module);
      const state = this.stateAt(number);
      this.view.setAttribute("aria-label", `${module.short}: the lines that ran are marked; the arrow keys go from line to line`);
      this.view.replaceChildren(...this.rows(module, number, state));
      if (follow) this.follow();
      this.drawWalk();
    }

    drawTabs() {
      this.tabs.replaceChildren(
        ...this.modules.map((module, at) => {
          const lines = this.counts?.[at]?.size ?? 0;
          const label = `${module.short}${module.changed ? " (changed)" : ""}`;
          const button = press(label, () => ((this.shownModule = this.chosen = module), this.draw(true)));
          button.setAttribute("aria-pressed", String(module === this.shownModule));
          if (lines) button.append(make("span", "sim-code-count", ` ${lines}`));
          button.title = lines ? `${plural(lines, "line")} ran` : "Nothing of it ran";
          return button;
        }),
      );
    }

    /* Of the steps so far in a file: the lines that ran, and what they bound last. */
    stateAt(number) {
      const done = new Set();
      const values = new Map();
      const steps = this.ran?.steps.slice(0, this.at) ?? [];
      for (const [file, line, , bound] of steps) {
        if (this.numbers[file] !== number) continue;
        done.add(line);
        if (bound.length) values.set(line, bound);
      }
      // Beyond the steps that were taken down, only the lines are known.
      if (this.ran && this.at === this.last) for (const line of this.counts[number].keys()) done.add(line);
      const now = steps.at(-1);
      const line = now && this.at < this.last && this.numbers[now[0]] === number ? now[1] : 0;
      return { done, values, line };
    }

    *rows(module, number, { done, values, line: now }) {
      const visible = this.visible(module, number);
      let hidden = 0;
      for (let line = 1; line <= module.current.length + 1; line += 1) {
        const shown = line <= module.current.length && (!visible || visible.has(line));
        if (!shown && line <= module.current.length) {
          hidden += 1;
          continue;
        }
        if (hidden) yield this.gap(line - hidden, hidden);
        hidden = 0;
        if (shown) yield this.row(module, number, line, done.has(line), line === now, values.get(line));
      }
    }

    /* The lines of the functions that ran; null for all lines. */
    visible(module, number) {
      const counts = this.counts?.[number];
      if (!this.onlyRan || !counts?.size) return null;
      const lines = new Set(this.open);
      for (const line of counts.keys()) {
        const [first, last] = module.blockAt(line) ?? [line, line];
        for (let at = first; at <= last; at += 1) lines.add(at);
      }
      return lines;
    }

    gap(first, count) {
      const button = press(`${plural(count, "line")} that did not run`, () => {
        for (let line = first; line < first + count; line += 1) this.open.add(line);
        this.draw();
        this.view.focus({ preventScroll: true });
      });
      button.className = "sim-code-gap";
      return button;
    }

    row(module, number, line, ran, now, values) {
      const text = module.current[line - 1];
      const code = make("span", "sim-code-text");
      const html = module.known.get(text);
      if (html === undefined) code.textContent = text;
      else code.innerHTML = html;
      const count = this.counts?.[number]?.get(line) ?? 0;
      const row = make("div", "sim-code-line", this.lineNumber(module, line), code);
      if (count) row.classList.add("sim-code-will");
      if (ran) row.classList.add("sim-code-ran");
      if (now) row.classList.add("sim-code-now");
      if (html === undefined) row.classList.add("sim-code-mine");
      if (ran && count > 1) row.append(make("span", "sim-code-times", `×${count}`));
      if (values) row.append(make("span", "sim-code-values", values.map(([name, value]) => (name === "return" ? `⇒ ${value}` : `${name}: ${value}`)).join("  ")));
      row.dataset.line = line;
      return row;
    }

    lineNumber(module, line) {
      const root = document.querySelector('meta[name="sim-source"]')?.content;
      const number = make(root && !module.changed ? "a" : "span", "sim-code-number", String(line));
      if (number.tagName === "A") {
        number.href = `${root}${module.file}#L${line}`;
        number.target = "_blank";
        number.rel = "noopener";
        number.title = `${module.short}, line ${line}, in the repository`;
        // A link for every line would be hundreds of stops for the Tab key.
        number.tabIndex = -1;
      }
      return number;
    }

    follow() {
      const row = this.view.querySelector(".sim-code-now") ?? this.view.querySelector(".sim-code-ran, .sim-code-will");
      if (!row) return;
      const top = row.offsetTop - this.view.offsetTop;
      const { scrollTop, clientHeight } = this.view;
      if (top < scrollTop + 20 || top > scrollTop + clientHeight - 60) this.view.scrollTop = top - clientHeight / 3;
    }

    clicked(event) {
      const row = event.target.closest(".sim-code-line");
      if (!row || !this.ran || event.target.closest("a") || getSelection()?.toString()) return;
      const line = Number(row.dataset.line);
      const number = this.modules.indexOf(this.shownModule);
      const found = this.ran.steps.findIndex(([file, at]) => this.numbers[file] === number && at === line);
      if (found >= 0) this.go(found + 1);
    }

    // --- Line by line ---------------------------------------------------------------------------

    key(event) {
      if (event.target !== this.view || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "ArrowRight") this.forward();
      else if (event.key === "ArrowLeft") this.go(this.at - 1);
      else return;
      event.preventDefault();
    }

    /* The next line; after the last one of an event, the first one of the next event. */
    forward() {
      if (this.at === this.last) {
        if (this.at && !this.entered) return this.go(1);
        this.stepping = true;
        this.widget.send({ do: "step" });
        return;
      }
      this.go(this.at + 1);
    }

    go(at) {
      if (!this.ran) return;
      this.at = Math.max(0, Math.min(at, this.last));
      this.entered = true;
      const step = this.ran.steps[this.at - 1];
      this.shownModule = step && this.at < this.last ? this.modules[this.numbers[step[0]]] : this.home();
      this.draw(true);
    }

    walkOrStop() {
      this.walking = !this.walking;
      this.play.textContent = this.walking ? "Stop" : "Walk";
      if (!this.walking) return clearTimeout(this.timer);
      if (this.at === this.last) this.go(0);
      this.walkOn();
    }

    walkOn() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        if (!this.walking || !this.box.isConnected || !this.box.closest("details").open) return;
        if (document.hidden) return this.walkOn();
        this.forward();
        if (!this.stepping) this.walkOn();
      }, WALK_MS);
    }

    drawWalk() {
      const steps = this.last;
      this.first.setAttribute("aria-disabled", String(this.at === 0));
      this.back.setAttribute("aria-disabled", String(this.at === 0));
      this.all.setAttribute("aria-disabled", String(this.at === steps));
      if (!this.ran) return this.where.replaceChildren();
      const step = this.ran.steps[this.at - 1];
      if (this.at === steps || !step) {
        const tail = this.ran.full ? " More ran; they are marked, but not taken down one by one." : "";
        const text = this.at === 0 && steps ? `Before the first of ${plural(steps, "step")}.` : `All ${plural(steps, "step")}.${tail}`;
        return this.where.replaceChildren(text);
      }
      const [file, line, depth, bound] = step;
      const module = this.modules[this.numbers[file]];
      const name = module.changed ? "" : module.blockAt(line)?.[2];
      const head = `Step ${this.at} of ${steps}: line ${line}${name ? ` in ${name}` : ""}, ${plural(depth, "call")} deep.`;
      const list = make("span", "sim-code-bound", bound.map(([key, value]) => (key === "return" ? ` Gives back ${value}.` : ` ${key} is ${value}.`)).join(""));
      this.where.replaceChildren(head, list);
    }

    // --- What it changed ------------------------------------------------------------------------

    drawFacts() {
      const { changes, scheduled } = this.ran;
      this.facts.replaceChildren();
      if (changes.length) {
        const body = make("tbody", "", ...changes.map((row) => make("tr", "", ...row.map((cell, at) => make(at ? "td" : "th", "", at ? make("code", "", cell) : path(cell))))));
        body.querySelectorAll("th").forEach((cell) => (cell.scope = "row"));
        const head = make("tr", "", ...["State", "before", "after"].map((text) => make("th", "", text)));
        head.querySelectorAll("th").forEach((cell) => (cell.scope = "col"));
        const table = make("table", "sim-code-changes", make("caption", "", `What the event changed in the state: ${plural(changes.length, "place")}`), make("thead", "", head), body);
        const scroll = make("div", "sim-code-scroll", table);
        scroll.tabIndex = 0;
        scroll.setAttribute("role", "group");
        scroll.setAttribute("aria-label", "What the event changed");
        this.facts.append(scroll);
      } else if (this.ran.at) {
        this.facts.append(make("p", "", "It changed nothing in the state."));
      }
      if (scheduled.length) {
        const items = scheduled.map(([ms, event]) => make("li", "", `in ${ms.toLocaleString("en-US")} ms: `, make("code", "", event)));
        this.facts.append(make("p", "", this.ran.at ? "It scheduled:" : "Pending at the start:"), make("ul", "", ...items));
      }
    }

    // --- Changing the code ----------------------------------------------------------------------

    get draft() {
      const { pattern } = this.widget.dataset;
      if (!drafts.has(pattern)) drafts.set(pattern, new Map());
      return drafts.get(pattern);
    }

    async edit() {
      const module = this.shownModule;
      if (!module || this.editor) return;
      this.stopWalk();
      this.widget.send({ do: "pause" });
      this.trouble.replaceChildren("Loading the editor …");
      try {
        const { open } = await globalThis.simRuntime.editor();
        this.trouble.replaceChildren();
        this.openEditor(open, module);
      } catch (problem) {
        this.trouble.replaceChildren(`${problem.message} Press Edit to try again.`);
      }
    }

    openEditor(open, module) {
      const host = make("div", "sim-code-editor");
      const run = press("Run it", () => this.run(module));
      const cancel = press("Cancel", () => this.closeEditor(true));
      const hint = make(
        "p", "sim-hint",
        "Same seed, same script, your code. It runs in your browser alone, and no link holds it. ",
        "Ctrl-Enter runs it; Tab leaves the editor; Escape cancels.",
      );
      this.editing.replaceChildren(make("p", "sim-code-file", `${module.file}`), host, make("div", "sim-code-walk", run, cancel), hint);
      this.editing.hidden = false;
      const top = this.view.querySelector(".sim-code-now, .sim-code-ran");
      this.editor = open({
        parent: host,
        text: this.draft.get(module.name) ?? module.text,
        label: `Source of ${module.short}`,
        line: Number(top?.dataset.line ?? 1),
        onRun: () => this.run(module),
        onEscape: () => this.closeEditor(true),
      });
      this.draw();
      this.editor.focus();
    }

    closeEditor(back = false) {
      this.editor?.close();
      this.editor = null;
      this.editing.hidden = true;
      this.editing.replaceChildren();
      this.trouble.replaceChildren();
      this.asked = "";
      this.draw(true);
      if (back) this.editButton.focus();
    }

    async run(module) {
      if (this.running) return;
      this.running = true;
      const text = this.editor.text();
      if (text === module.text) this.draft.delete(module.name);
      else this.draft.set(module.name, text);
      this.trouble.replaceChildren("Running your code …");
      try {
        const sent = Object.fromEntries(this.draft);
        const problem = await this.widget.useCode(sent, { answerMs: EDIT_MS });
        if (problem) this.tellProblem(problem, module);
        else await this.showEdited();
      } catch (problem) {
        this.tellProblem({ says: problem.late ? `Your code ran for ${EDIT_MS / 1000} seconds without an end and was stopped. The run is as it was.` : problem.message }, module);
      } finally {
        this.running = false;
      }
    }

    tellProblem({ module, line, says }, shown) {
      const here = module === shown.name;
      const elsewhere = module && !here ? ` in ${module.replace(/^.*\./, "")}.py` : "";
      this.trouble.replaceChildren(line ? `Line ${line}${elsewhere}: ${says}` : says);
      if (line && here) this.editor?.fail(line);
      this.editor?.focus();
    }

    async showEdited() {
      for (const module of this.modules) module.use(this.draft.get(module.name));
      const edited = this.draft.size > 0;
      this.versus.replaceChildren();
      if (edited) {
        const { comparison, refusal } = await this.widget.ask({ do: "compare" });
        this.drawVersus(comparison ?? { says: refusal });
      }
      this.closeEditor();
      this.widget.send({ do: "show" });
      this.versus.querySelector(".sim-code-head")?.focus();
    }

    drawVersus({ says, agree, same, events, rows, cut }) {
      const head = make("p", "sim-code-head");
      head.tabIndex = -1;
      head.textContent = says ?? this.verdict(agree, same, events);
      this.versus.append(head);
      if (says || same) return;
      const list = make("ol", "sim-code-rows");
      for (const row of rows) list.append(this.versusRow(row));
      this.versus.append(list);
      if (cut) this.versus.append(make("p", "sim-hint", "The rest is left out."));
    }

    verdict(agree, same, [old, mine]) {
      if (same) return `Your code makes the same run: ${plural(mine, "event")}, word by word.`;
      const lengths = `The original has ${plural(old, "event")}, yours ${plural(mine, "event")}.`;
      return agree < 0 ? `The runs differ from their start. ${lengths}` : `The runs agree for ${plural(agree, "event")} and then part. ${lengths}`;
    }

    versusRow([mark, index, ms, says]) {
      if (mark === "…") return make("li", "sim-code-row", make("span", "sim-code-mark", "…"), ` ${plural(index, "event")} in both`);
      const sign = { "=": " ", "-": "−", "+": "+" }[mark];
      const word = { "=": "both", "-": "only the original", "+": "only yours" }[mark];
      const time = `${ms.toLocaleString("en-US")} ms`;
      const label = make("span", "sim-code-mark", sign);
      label.setAttribute("aria-hidden", "true");
      const row = make("li", `sim-code-row sim-code-row--${{ "=": "both", "-": "old", "+": "new" }[mark]}`, label, make("span", "sim-unseen", `${word}: `));
      const text = `${time}  ${says}`;
      if (mark === "-") row.append(make("span", "", text));
      else {
        const button = press(text, () => this.widget.send({ do: "seek", value: String(index) }));
        button.className = "sim-code-seek";
        button.title = "Go to this moment of your run";
        row.append(button);
      }
      return row;
    }

    restore(says = "") {
      this.draft.clear();
      for (const module of this.modules) module.use();
      this.versus.replaceChildren();
      this.asked = "";
      this.widget.restoreCode();
      this.closeEditor();
      this.trouble.replaceChildren(says || "The original code is back, and the run as it was before.");
      this.editButton.focus({ preventScroll: true });
    }

    /* The reader's code failed while it ran; the run is as it was before that. */
    mistake({ error, problem }) {
      const module = this.modules.find(({ name }) => name === problem?.module);
      const where = problem?.line ? `Line ${problem.line} of ${module?.short ?? problem.module}: ` : "";
      this.trouble.replaceChildren(`${where}${problem?.says ?? error} The run stays as it was.`);
    }

    /* The worker with the reader's code hung or died in the middle of something. */
    lost(reason) {
      const draft = new Map(this.draft);
      const why = reason.late ? `Your code did not answer for ${EDIT_MS / 1000} seconds and was stopped.` : `Your code failed: ${reason.message ?? reason}`;
      this.restore(`${why} The original code is back, and the run as it was before. Edit shows your text again.`);
      for (const [name, text] of draft) this.draft.set(name, text);
    }

    stopWalk() {
      this.walking = false;
      this.play.textContent = "Walk";
      clearTimeout(this.timer);
    }
  }

  globalThis.simPanels.code = (widget, box) => {
    const panel = new Panel(widget, box);
    return {
      shown: (answer) => panel.shown(answer),
      lost: (reason) => panel.lost(reason),
      mistake: (answer) => panel.mistake(answer),
    };
  };
})();
