"""Builds the browser runtime: Python with `pysims` already imported, ready in about a second.

Theory of operation
===================

A bare Pyodide downloads CPython as WebAssembly and its standard library as an archive, starts the
interpreter, and then imports, from source, every module that is wanted. That takes four to six
seconds, all of it on the reader's processor. Here it happens once, while the site is built; what
is shipped is a picture of the memory as it was afterwards.

::

    pysims, Jinja2, MarkupSafe        node_modules: pyodide, @pyscript/core
              │                                │
        build.py stages                        │
              │                                │
              └──▶ snapshot.mjs ◀──────────────┤     three interpreters in Node: one records
                   inside/record.py            │     what is needed, one sits for the picture,
                   inside/settle.py            │     one is restored from it as a check
                        │                      │
                        │                 bundle.mjs   PyScript's `PyWorker`, with a worker that
                        │                      │       starts in any place (browser/)
                        ▼                      ▼
                   build.py compresses, names by content, writes the manifest
                        │
    docs/assets/runtime/sim-runtime.js   the page's only entry: manifest, loader, PyScript
                        manifest.js      the same manifest, for whoever wants only that
                        interpreter.<hash>.bin, snapshot.<hash>.bin      gzip under another name
                        pyodide.<hash>.mjs, glue.<hash>.mjs              Pyodide's two scripts
                        *.b64.js         the same four, in base64 within classic scripts

In the browser (browser/page.js) a page loads `sim-runtime.js` with a script element and calls
`simRuntime.start()`. Files are found beside the script; over HTTP they are fetched, from disk and
in sandboxed frames they come by script elements. A PyScript worker is started, and where it would
import Pyodide, it gets an interpreter restored from the snapshot.

What to know before changing anything
=====================================

- After the restore there is no file system and no standard library to import from. Whatever Python
  will ever need must be imported before the picture is taken. `inside/record.py` finds it by
  reading the sources of `pysims`; a module imported by name computed at run time is not found.
- The patterns are the exception: they lie in the picture as compiled code
  (`pysims/patterns/shelf.py`), and what *they* import is found and imported like the rest.
- The image fits one WebAssembly, byte for byte. Versions are pinned in package-lock.json, and all
  files are addressed by content, so that no cache can mix two builds.
- Two builds of the same sources are the same bytes: entropy and clocks are constants in Node
  (deterministic.mjs), strings hash alike (PYTHONHASHSEED=0), the order of files is fixed.
- PyScript's sources are replaced in six places while they are bundled. Each replacement stops the
  build where it does not find what it replaces. bundle.mjs lists them.

`python -m pysims.runtime` builds; it does nothing where nothing has changed.
"""
