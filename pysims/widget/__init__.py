"""How a page shows a run.

`session` is one widget as a value, `render` turns it into HTML, `fence` is what Markdown calls
while the site is built, `worker` what the browser calls; both draw with the same functions.
"""
