"""Draw the graph of docs/workflow.md while the site is built, so that no script has to be fetched for it."""

import re
from html import escape

from mkdocs.structure.pages import Page

from zfnet.paper.report.workflow_graph import layout

GRAPH = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)

STYLE = (
    "<style>.graph rect { fill: none; stroke: currentColor } .graph .arrow { fill: none; stroke: gray }"
    " .graph text { fill: currentColor; font-size: 11px; text-anchor: middle }</style>"
)
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
    '<path d="M0,0 L8,4 L0,8 z" fill="gray"/></marker></defs>'
)


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Replace a Mermaid graph by an SVG picture."""
    return GRAPH.sub(lambda match: _svg(re.findall(r"^\s*(\w+) --> (\w+)$", match[1], re.MULTILINE)), markdown)


def _svg(edges: list[tuple[str, str]]) -> str:
    graph = layout(edges)
    width, height = graph["box"]
    arrows = "".join(f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>' for path in graph["arrows"])
    boxes = "".join(
        f'<rect x="{rule.x:g}" y="{rule.y:g}" width="{width}" height="{height}" rx="5"/>'
        f'<text x="{rule.x + width / 2:g}" y="{rule.y + height / 2 + 4:g}">{escape(rule.name.replace("_", " "))}</text>'
        for rule in graph["rules"]
    )
    return (
        f'<div style="overflow-x: auto"><svg class="graph" width="{graph["width"]}" height="{graph["height"]}"'
        f' role="img" aria-label="{escape(graph["alt"])}">{STYLE}{TIP}{arrows}{boxes}</svg></div>'
    )
