// What Material for MkDocs needs to work wherever the site is opened from. Runs right before
// Material's own script, on pages of the site, not on embedded ones.

// Lets instant navigation work wherever the site is served from.
//
// Material follows a link without a full page load only if sitemap.xml lists its address.
// It adapts the listed host to the page's, but neither port nor path, so a preview on
// localhost:8000 or a mirror under another folder would reload on every click. Here every
// listed address is moved from the address the site was built for to the folder that this
// script came from, at the one place where Material reads the file.
(() => {
  if (location.protocol === "file:") return;
  const root = new URL("..", document.currentScript.src).href;
  const builtFor = document.currentScript.dataset.builtFor || root;
  const parse = DOMParser.prototype.parseFromString;
  DOMParser.prototype.parseFromString = function (text, type) {
    const parsed = parse.call(this, text, type);
    if (parsed.documentElement.nodeName !== "urlset") return parsed;
    for (const place of parsed.querySelectorAll("loc")) {
      const address = new URL(place.textContent.trim(), builtFor).href;
      if (address.startsWith(builtFor)) place.textContent = root + address.slice(builtFor.length);
    }
    return parsed;
  };
})();

// Spares the page from being styled anew as Material starts, which a phone takes a tenth of a second for.
//
// Instant navigation makes every relative address in the page absolute, since the page's own address
// will change. For a stylesheet, that means to load and apply it again. Its element says the whole
// address without being touched: to Material, which reads `href` and compares elements by
// `outerHTML` with those of the next page. And the element for the color scheme that Material adds
// to the head must not act, since assets/scheme.js has one that changes only with the scheme.
(() => {
  if (location.protocol === "file:") return;
  for (const link of document.querySelectorAll("head > link[rel=stylesheet]")) {
    const address = link.href;
    const whole = link.cloneNode();
    whole.href = address;
    const html = whole.outerHTML;
    Object.defineProperties(link, {
      href: { get: () => address, set() {} },
      outerHTML: { get: () => html },
    });
  }
  const append = document.head.appendChild;
  document.head.appendChild = function (node) {
    if (node.name === "color-scheme") node.name = "color-scheme-of-header";
    return append.call(this, node);
  };
})();

// Goes to the place on the next page that a link names.
//
// With instant navigation, Material notes the reader's place on the old page a tenth of a second
// after the click, and if the new page, which is long, is not there by then, it takes that for the
// place to go to. So what was clicked is remembered, and the browser is sent there once more.
(() => {
  let wanted = "";
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const leaves = link && link.origin === location.origin && link.pathname !== location.pathname;
    wanted = leaves ? link.hash : "";
  }, { capture: true });
  addEventListener("DOMContentLoaded", () => {
    window.document$.subscribe(() => {
      const hash = wanted;
      wanted = "";
      if (!hash || location.hash !== hash) return;
      // After Material's own subscribers, of which one scrolls.
      setTimeout(() => location.replace(hash));
    });
  });
})();

// Lets Material's other scripts run when the site is opened from disk.
//
// With instant navigation, Material ends `document$` there before it has emitted once, and
// whatever waits for it (copy buttons, tables that scroll) never happens. Without that feature it
// emits as usual, and a link from disk loads a page in any case.
(() => {
  if (location.protocol !== "file:") return;
  const config = document.getElementById("__config");
  const settings = JSON.parse(config.textContent);
  settings.features = settings.features.filter((name) => name !== "navigation.instant");
  config.textContent = JSON.stringify(settings);
})();

// Makes search work when the site is opened from disk.
//
// Material searches in a worker, and Chromium refuses to start a worker from a file: address.
// A script in a hidden frame of the page may be loaded from there, so the search worker, and
// no other, becomes such a frame. Every other worker stays what it was: the simulations start
// theirs from memory.
(() => {
  if (location.protocol !== "file:") return;

  class FrameWorker extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.srcdoc = "<!doctype html><title>Search</title>";
      this.inside = new Promise((resolve, reject) => {
        frame.addEventListener("load", () => {
          const inside = frame.contentWindow;
          // What the worker's script sends goes to whoever listens on this object.
          inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
          const script = inside.document.createElement("script");
          script.src = url;
          script.addEventListener("load", () => resolve(inside));
          script.addEventListener("error", () => reject(new Error(`cannot load ${url}`)));
          inside.document.head.append(script);
        }, { once: true });
      });
      this.inside.catch((error) => this.dispatchEvent(new ErrorEvent("error", { error })));
      this.addEventListener("message", (event) => this.onmessage?.(event));
      document.body.append(frame);
      this.frame = frame;
    }

    postMessage(data) {
      this.inside.then(
        (inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data })),
        () => {},
      );
    }

    terminate() {
      this.frame.remove();
    }
  }

  // A function and not a Proxy: WebKit finds no methods of the base in a class that extends one.
  const Native = window.Worker;
  window.Worker = function Worker(url, ...rest) {
    return /\bassets\/javascripts\/workers\/search\b/.test(url)
      ? new FrameWorker(new URL(url, document.baseURI).href)
      : Reflect.construct(Native, [url, ...rest], new.target ?? Native);
  };
  window.Worker.prototype = Native.prototype;
})();

// Fetches what search needs when somebody is about to search.
//
// Material asks for the index of all pages as soon as a page is there: a third of a megabyte, which
// most readers never use, ahead of the figures. The request waits until the field has the focus (a
// click, a key, the glass on a phone all lead there), or an address brings words to look for.
(() => {
  if (location.protocol === "file:") return;
  const asked = new URLSearchParams(location.search);
  if (asked.has("q") || asked.has("h")) return;
  const interest = new Promise((resolve) => {
    document.addEventListener("focusin", ({ target }) => {
      if (target.matches?.(".md-search__input")) resolve();
    });
  });
  const { open, send } = XMLHttpRequest.prototype;
  const late = new WeakSet();
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    if (/\/search\/search_index\.json$/.test(url)) late.add(this);
    return open.call(this, method, url, ...rest);
  };
  XMLHttpRequest.prototype.send = function (...body) {
    if (!late.has(this)) return send.apply(this, body);
    interest.then(() => send.apply(this, body));
  };
})();

// Names what Material leaves unnamed for assistive technology: the search dialog, the bar of
// buttons that it adds to each block of code, and tables wider than their column, which a
// keyboard must be able to scroll. Material builds these anew on every instant navigation.
(() => {
  const scrollable = () => {
    // All are measured before any is changed: else the page is laid out once for each.
    const tables = [...document.querySelectorAll(".md-typeset__scrollwrap")];
    const wide = tables.map((table) => table.scrollWidth > table.clientWidth);
    for (const [index, table] of tables.entries()) {
      for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "Wide table"]]) {
        wide[index] ? table.setAttribute(name, value) : table.removeAttribute(name);
      }
    }
  };
  const name = () => {
    document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
    document.querySelectorAll(".md-code__nav").forEach((bar, index) => {
      bar.setAttribute("aria-label", `Code block ${index + 1}`);
    });
    scrollable();
  };
  addEventListener("DOMContentLoaded", () => window.document$.subscribe(name));
  addEventListener("resize", scrollable);
})();

// Counts the first tries of a quiz, and says the score below its last question.
//
// A quiz is Markdown and needs no script (assets/theme.css, section 14). What is counted is the
// reader's click or key, which both arrive here as a click: printing and the browser's own search
// open options too, and are no answers.
(() => {
  const isQuestion = (element) => element?.classList.contains("quiz");

  // The questions that follow one another, and the line below the last of them.
  const groupOf = (question) => {
    const questions = [question];
    while (isQuestion(questions[0].previousElementSibling)) {
      questions.unshift(questions[0].previousElementSibling);
    }
    while (isQuestion(questions.at(-1).nextElementSibling)) {
      questions.push(questions.at(-1).nextElementSibling);
    }
    return { questions, score: questions.at(-1).nextElementSibling };
  };

  // A screen reader announces a change of a status only if the status was there before, so the
  // line is there from the start, and empty.
  const prepare = () => {
    document.querySelectorAll(".md-content .quiz").forEach((question, index) => {
      const title = question.querySelector(".admonition-title");
      title.id ||= `quiz-question-${index + 1}`;
      question.setAttribute("role", "group");
      question.setAttribute("aria-labelledby", title.id);
      const next = question.nextElementSibling;
      if (isQuestion(next) || next?.classList.contains("quiz-score")) return;
      const score = document.createElement("p");
      score.className = "quiz-score";
      score.setAttribute("role", "status");
      question.after(score);
    });
  };

  const say = (question) => {
    const { questions, score } = groupOf(question);
    const tried = questions.filter((one) => one.dataset.firstTry);
    const right = tried.filter((one) => one.dataset.firstTry === "right");
    const left = questions.length - tried.length;
    const rest = left ? `, ${left} to go` : "";
    score.textContent = `Right at the first try: ${right.length} of ${tried.length}${rest}.`;
  };

  document.addEventListener("click", (event) => {
    const option = event.target.closest?.(".quiz > details > summary")?.parentElement;
    if (!option || option.open || option.parentElement.dataset.firstTry) return;
    option.parentElement.dataset.firstTry = option.classList.contains("right") ? "right" : "wrong";
    say(option.parentElement);
  });

  // From disk, Material's stream of documents has ended before its first, so the page that is
  // there is prepared without being asked for: before Material wraps its tables, so that both have
  // the page laid out once.
  document.addEventListener("DOMContentLoaded", () => {
    prepare();
    window.document$.subscribe(prepare);
  });
})();

// Keeps what was read for when there is no network, once the reader shows interest: a service worker,
// which only finished sites have (pysims/offline/). Where a browser forbids one, nothing is said here;
// the page on reading offline does that. And a page that comes by instant navigation from another
// build than the scripts that are running is loaded whole.
(() => {
  const root = new URL("..", document.currentScript.src).href;
  const builtWith = () => document.querySelector("meta[name=sim-build]")?.content;
  const built = builtWith();
  addEventListener("DOMContentLoaded", () => {
    window.document$.subscribe(() => {
      if (built && builtWith() && builtWith() !== built) location.reload();
      if (document.querySelector("[data-offline]") && !document.querySelector("script[data-offline-ui]")) {
        const script = document.createElement("script");
        script.dataset.offlineUi = "";
        script.src = `${root}assets/offline.js`;
        document.body.append(script);
      }
    });
  });

  const tell = (registration) => {
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    registration.active?.postMessage({ read: [location.href, ...loaded] });
  };
  let ready = null;
  const keep = () => {
    for (const kind of KINDS) removeEventListener(kind, keep, { capture: true });
    ready ??= navigator.serviceWorker
      .register(`${root}sw.js`, { scope: root })
      .then(() => navigator.serviceWorker.ready)
      .then((registration) => (tell(registration), registration));
    ready.catch(() => {});
  };
  const KINDS = ["scroll", "pointerdown", "keydown", "sim:ready"];
  try {
    if (!built || self !== top || !navigator.serviceWorker) return;
  } catch {
    return;
  }
  for (const kind of KINDS) addEventListener(kind, keep, { capture: true, passive: true });
  // What came late: the runtime, the code of a pattern, or the worker itself, after an update.
  const again = () => ready?.then(tell).catch(() => {});
  addEventListener("sim:ready", again);
  navigator.serviceWorker.addEventListener("controllerchange", again);
})();
