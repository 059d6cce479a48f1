/* The panel with a thousand seeds: asks the worker for the answers of a few seeds at a time, keeps
   them, and shows what Python draws of them.

   A few seeds take about as long as a picture, and the widget's own messages come in between: it
   stays alive while a sweep runs. The worker keeps nothing, so a sweep ends with the panel. */
"use strict";
(() => {
  const CHUNK_MS = 50;
  const CHUNK_MAX = 200;
  const AT_ONCE_MS = 500;
  // Progress is said at these parts of the whole, not more often.
  const SAID = [0.25, 0.5, 0.75];

  function same(a, b) {
    return ["scenario", "params", "script", "until_ms"].every(
      (name) => JSON.stringify(a[name]) === JSON.stringify(b[name]),
    );
  }

  class Seeds {
    #sweep = null;
    #run = null;
    #csv = "";
    #latest = null;

    constructor(widget, box) {
      this.widget = widget;
      this.box = box;
      box.classList.add("seeds");
    }

    /* The form comes with the first picture, when there surely is a worker to ask. */
    async shown(answer) {
      this.#latest = answer.saved;
      this.#compare();
      if (this.find(".seeds-form") || this.coming) return;
      this.coming = true;
      try {
        const { html, error } = await this.widget.ask({ do: "seeds" });
        if (error) throw new Error(error);
        this.box.innerHTML = html;
        this.#listen();
      } catch (problem) {
        this.box.textContent = `${problem.message} Close this panel and open it to try again.`;
      } finally {
        this.coming = false;
      }
    }

    find(selector) {
      return this.box.querySelector(selector);
    }

    #listen() {
      const question = this.find("[name=question]");
      question.addEventListener("change", () => {
        this.find(".seeds-why").textContent = question.selectedOptions[0].dataset.why;
      });
      this.find("[name=first]").addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        // It would press the button that the focus goes to.
        event.preventDefault();
        this.#start();
      });
      this.find(".seeds-run").addEventListener("click", () => this.#start());
      this.find(".seeds-cancel").addEventListener("click", () => this.#cancel());
      this.find(".seeds-result").addEventListener("click", (event) => this.#click(event));
    }

    #say(text) {
      this.find(".seeds-status").textContent = text;
    }

    // A sweep.

    async #start() {
      if (this.#sweep) return;
      const first = this.find("[name=first]");
      if (!first.checkValidity()) return this.#say(`The first seed must be an integer from 0 to ${first.max}.`);
      const sweep = {
        question: this.find("[name=question]").value,
        total: Number(this.find("[name=count]").value),
        first: Number(first.value),
        answers: [],
        run: null,
        desk: this.widget.desk,
        began: performance.now(),
        said: 0,
      };
      this.#sweep = sweep;
      this.#busy(true);
      this.#say(`Running ${sweep.total.toLocaleString("en")} seeds.`);
      this.find(".seeds-result").replaceChildren();
      this.find(".seeds-cancel").focus();
      let problem = null;
      try {
        await this.#through(sweep);
      } catch (thrown) {
        problem = thrown;
      }
      const focused = this.box.contains(document.activeElement);
      this.#sweep = null;
      this.#busy(false);
      if (focused) this.find(".seeds-run").focus();
      await this.#end(sweep, problem);
    }

    /* All seeds, a few at a time: as many as take about 50 ms, going by those before. */
    async #through(sweep) {
      let size = 1;
      while (sweep.answers.length < sweep.total && !sweep.stopped) {
        if (!this.widget.isConnected) return;
        if (this.widget.desk !== sweep.desk) throw new Error("The code of the pattern was changed.");
        const asked = Math.min(size, sweep.total - sweep.answers.length);
        const before = performance.now();
        const { answers, run, refusal, error } = await this.widget.ask({
          do: "sweep",
          question: sweep.question,
          first: sweep.first + sweep.answers.length,
          count: asked,
          ...(sweep.run && { run: sweep.run }),
        });
        if (error ?? refusal) throw new Error(error ?? refusal);
        sweep.run = run;
        sweep.answers.push(...answers);
        const each = (performance.now() - before) / asked;
        size = Math.max(1, Math.min(CHUNK_MAX, 2 * size, Math.round(CHUNK_MS / Math.max(each, 0.01))));
        this.#progress(sweep);
      }
    }

    #progress(sweep) {
      const done = sweep.answers.length;
      const pace = done / ((performance.now() - sweep.began) / 1000);
      const left = (sweep.total - done) / pace;
      this.find("progress").value = done / sweep.total;
      this.find(".seeds-pace").textContent =
        `${done.toLocaleString("en")} of ${sweep.total.toLocaleString("en")}, ` +
        `${pace < 10 ? pace.toFixed(1) : Math.round(pace).toLocaleString("en")} a second` +
        (left > 3 ? `, ${left < 120 ? `${Math.round(left)} s` : `${Math.round(left / 60)} min`} to go` : "");
      const part = SAID.findLast((each) => done >= each * sweep.total) ?? 0;
      // What takes no time needs no word on the way.
      if (part > sweep.said && performance.now() - sweep.began > 2_000) {
        this.#say(`${Math.round(part * 100)} % of the seeds have run.`);
      }
      sweep.said = part;
    }

    #busy(on) {
      this.find(".seeds-cancel").hidden = !on;
      this.find(".seeds-run").hidden = on;
      this.find(".seeds-progress").hidden = !on;
      this.find("progress").value = 0;
      this.find(".seeds-pace").textContent = "";
    }

    /* The button stands where the other one was, and a double click is meant for that one. */
    #cancel() {
      if (this.#sweep && performance.now() - this.#sweep.began > AT_ONCE_MS) this.#sweep.stopped = true;
    }

    async #end(sweep, problem) {
      const done = sweep.answers.length.toLocaleString("en");
      const total = sweep.total.toLocaleString("en");
      const seconds = ((performance.now() - sweep.began) / 1000).toFixed(1);
      let says = `${done} seeds have run, in ${seconds} s.`;
      if (problem) says = `${problem.message} ${done} of ${total} seeds have run.`;
      else if (sweep.stopped) says = `Canceled: ${done} of ${total} seeds have run.`;
      if (!this.widget.isConnected) return;
      try {
        if (sweep.answers.length) await this.#show(sweep);
      } catch (thrown) {
        says += ` They cannot be shown: ${thrown.message}`;
      }
      this.#say(says);
    }

    // What came of it.

    async #show({ question, first, answers, run }) {
      const shown = await this.widget.ask({ do: "spread", question, first, answers });
      if (shown.error) throw new Error(shown.error);
      this.#run = run;
      this.#csv = shown.csv;
      this.find(".seeds-result").innerHTML = shown.html;
      this.#compare();
    }

    /* Whether the run on show is still the one that was swept, but for its seed. */
    #compare() {
      const result = this.#run && this.find(".seeds-result");
      if (!result?.firstElementChild) return;
      result.querySelector(".seeds-other")?.remove();
      if (same(this.#run, this.#latest)) return;
      const note = document.createElement("p");
      note.className = "seeds-other";
      note.textContent = "The run on show is another one by now: these answers are those of the run that the sweep began with.";
      result.prepend(note);
    }

    #click(event) {
      const { seed, copy } = event.target.closest("button")?.dataset ?? {};
      if (copy) return void this.#copy(event.target.closest("button"));
      if (seed === undefined) return;
      this.widget.send({ do: "run", run: this.#run, seed: Number(seed) });
      this.#say(`Seed ${seed} is on show, at its end.`);
      this.widget.figure.scrollIntoView({ block: "start", behavior: "auto" });
    }

    /* Where the clipboard is not allowed, the text stays for the reader to copy himself. */
    async #copy(button) {
      let field = this.find(".seeds-csv");
      if (!field) {
        field = document.createElement("textarea");
        field.className = "seeds-csv";
        field.readOnly = true;
        field.rows = 4;
        field.setAttribute("aria-label", "Answers as CSV");
        button.parentElement.after(field);
      }
      field.value = this.#csv;
      let copied = true;
      try {
        await navigator.clipboard.writeText(this.#csv);
      } catch {
        field.select();
        copied = document.execCommand("copy");
      }
      this.#say(copied ? "Copied as CSV." : "Copy the text in the field.");
    }
  }

  (globalThis.simPanels ??= {}).seeds = (widget, box) => {
    const panel = new Seeds(widget, box);
    return { shown: (answer) => void panel.shown(answer) };
  };
})();
