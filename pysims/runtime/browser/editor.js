/* The editor for a model: PyScript's own CodeMirror, which is loaded when a reader asks for it.
 *
 * PyScript's files export most names in a short form of their own; each also exports one object
 * with all of them under their real names, which is found by a name that it must have.
 */

import * as core from "pyscript-codemirror";
import * as languageParts from "pyscript-codemirror_language";
import { python } from "pyscript-codemirror_lang-python";
import { EditorState, StateEffect, StateField } from "pyscript-codemirror_state";
import * as viewParts from "pyscript-codemirror_view";

const { EditorView, basicSetup } = core;

function holding(parts, ...names) {
  const found = Object.values(parts).find((part) => names.every((name) => part && name in Object(part)));
  if (!found) throw new Error(`CodeMirror has no part with ${names.join(", ")}: PyScript has changed.`);
  return found;
}

const { HighlightStyle, indentUnit, syntaxHighlighting } = holding(
  languageParts, "HighlightStyle", "syntaxHighlighting", "indentUnit",
);
const { Decoration } = holding(viewParts, "Decoration", "EditorView");
const tags = holding(languageParts, "docString", "lineComment", "keyword");

// The same classes as in the panel, so that editing changes no color.
const colors = HighlightStyle.define([
  { tag: tags.comment, class: "c" },
  { tag: tags.docString, class: "d" },
  { tag: tags.string, class: "s" },
  { tag: [tags.number, tags.bool, tags.null], class: "m" },
  { tag: [tags.keyword, tags.operatorKeyword, tags.self], class: "k" },
  { tag: [tags.definition(tags.function(tags.variableName)), tags.definition(tags.className)], class: "f" },
]);

const mark = StateEffect.define();
const marked = StateField.define({
  create: () => Decoration.none,
  update(lines, { effects, docChanged }) {
    const set = effects.find((effect) => effect.is(mark));
    if (set) return set.value;
    return docChanged ? Decoration.none : lines;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/**
 * An editor in `parent`. `onRun` is called for Ctrl-Enter, `onEscape` for Escape.
 *
 * `text()` is what it holds, `fail(line)` marks a line (counted from 1) and goes there.
 */
function open({ parent, text, label, line = 1, onRun, onEscape }) {
  const view = new EditorView({
    parent,
    root: parent.getRootNode(),
    state: EditorState.create({
      doc: text,
      extensions: [
        basicSetup,
        python(),
        indentUnit.of("    "),
        EditorState.tabSize.of(4),
        syntaxHighlighting(colors),
        marked,
        EditorView.contentAttributes.of({ "aria-label": label }),
        // Tab goes to the next control, as everywhere on the page; Ctrl-] indents.
        EditorView.domEventHandlers({
          keydown(event) {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return onRun(), true;
            if (event.key === "Escape" && !event.defaultPrevented) return onEscape(), true;
            return false;
          },
        }),
      ],
    }),
  });
  // What scrolls must scroll by keyboard as well, also for who does not want to edit.
  Object.assign(view.scrollDOM, { tabIndex: 0, role: "group", ariaLabel: `${label}, scrolling` });
  const go = (number, effects = []) => {
    const at = view.state.doc.line(Math.max(1, Math.min(number, view.state.doc.lines)));
    view.dispatch({
      selection: { anchor: at.from },
      effects: [EditorView.scrollIntoView(at.from, { y: "center" }), ...effects],
    });
    return at;
  };
  go(line);
  return {
    text: () => view.state.doc.toString(),
    focus: () => view.focus(),
    fail(number) {
      const at = view.state.doc.line(Math.max(1, Math.min(number, view.state.doc.lines)));
      go(number, [mark.of(Decoration.set([Decoration.line({ class: "sim-edit-bad" }).range(at.from)]))]);
    },
    close: () => view.destroy(),
  };
}

globalThis.simEditor = { open };
