"""Write tables, figures, claims and the report from the results of the other stages."""

from typing import Annotated

import typer

from zfnet.commands.common import Out, Results, SettingsFile, read


def table(
    name: Annotated[str, typer.Argument(help="1 … 7, or the name of a table in paper/items.yaml")],
    results: Results,
    out: Out,
) -> None:
    """Write one table: our values beside the published ones (csv, md, tex)."""
    from zfnet.paper.tables.table import table_stage

    table_stage(f"table{name}" if name.isdigit() else name, results, out)


def figure(
    name: Annotated[str, typer.Argument(help="figure2 … figure9, or another figure of paper/items.yaml")],
    results: Results,
    out: Out,
) -> None:
    """Draw one figure in the paper's layout (png, pdf)."""
    from zfnet.paper.figures.figure import figure_stage

    figure_stage(name, results, out)


def claims(results: Results, settings: SettingsFile, out: Out) -> None:
    """Decide the papers' claims from the results of this run."""
    from zfnet.paper.claims.decide import claims_stage

    claims_stage(results, read(settings).paper, out)


def report(
    results: Results,
    settings: SettingsFile,
    out: Out,
    light: Annotated[bool, typer.Option("--light", help="smaller images, no PDF files: to send or publish")] = False,
) -> None:
    """Write report.html: every table, figure and claim on one page."""
    from zfnet.paper.report.page import report_stage

    report_stage(results, read(settings), out, light)


COMMANDS = (table, figure, claims, report)
