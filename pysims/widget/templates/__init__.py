"""The chrome around every scene, as Jinja2 templates; a package, so that they can be read."""
