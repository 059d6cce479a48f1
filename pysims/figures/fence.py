"""What Markdown calls: a fence becomes a figure that is drawn while the site is built.

    ```figure load_spread
    What it shows, in words: its description, and what a reader of the plain Markdown sees.
    ```

    - pymdownx.superfences:
        custom_fences:
          - name: figure
            class: figure
            format: !!python/name:pysims.figures.fence.format_figure
            validator: !!python/name:pysims.figures.fence.validate_figure

The name has underscores: SuperFences takes a header with a hyphen for no fence at all, and prints
it as text; a test looks for such headers in the prose. It also swallows ordinary exceptions and
leaves a code block where a figure should be, in silence; so every refusal here is a
`SuperFencesException`, which stops the build.
"""

from __future__ import annotations

import os
from typing import Any

from pymdownx.superfences import SuperFencesException

from .html import figure_html


def validate_figure(
    language: str,  # noqa: ARG001  # the five arguments are SuperFences' interface
    inputs: dict[str, str],
    options: dict[str, Any],
    attrs: Any,  # noqa: ARG001
    md: Any,  # noqa: ARG001
) -> bool:
    """Read the header of a fence (the interface of `pymdownx.superfences`)."""
    # A word without a value has itself for a value.
    if len(inputs) != 1 or any(name != value for name, value in inputs.items()):
        given = ", ".join(inputs) or "nothing"
        raise SuperFencesException(f"figure fence: it names one figure and no more, got: {given}")
    (options["figure"],) = inputs
    return True


def format_figure(
    source: str,
    language: str,  # noqa: ARG001  # the arguments are SuperFences' interface
    class_name: str,  # noqa: ARG001
    options: dict[str, Any],
    md: Any,  # noqa: ARG001
    **rest: Any,  # noqa: ARG001
) -> str:
    """Draw a fence (the interface of `pymdownx.superfences`); anything wrong stops the build."""
    try:
        # Where `extra.source_url` of mkdocs.yml comes from: Markdown is not told of the site.
        return figure_html(options["figure"], source, os.environ.get("REPO_URL", ""))
    except Exception as problem:
        raise SuperFencesException(f"figure fence: {problem}") from problem
