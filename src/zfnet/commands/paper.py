"""Tables, figures, claims and the report from what the other stages left."""

from typing import Annotated

import typer

from zfnet.commands.common import Out, Results, SettingsFile, read


def table(number: Annotated[int, typer.Argument(min=1, max=7)], results: Results, out: Out) -> None:
    """Write one table: our values beside the printed ones (csv, md, tex)."""
    from zfnet.paper.tables.table import table_stage

    table_stage(number, results, out)


def figure(
    name: Annotated[str, typer.Argument(help="figure2 … figure9, methods or near_duplicates")],
    results: Results,
    out: Out,
) -> None:
    """Draw one figure in the paper's layout (png, pdf)."""
    from zfnet.paper.figures.figure import figure_stage

    figure_stage(name, results, out)


def claims(results: Results, settings: SettingsFile, out: Out) -> None:
    """Decide the papers' claims from this run's results."""
    from zfnet.paper.claims.decide import claims_stage

    claims_stage(results, read(settings).paper, out)


def report(
    results: Results,
    settings: SettingsFile,
    out: Out,
    light: Annotated[bool, typer.Option("--light", help="smaller pictures, no PDF files: to send or publish")] = False,
) -> None:
    """Write report.html: every table, figure and claim on one page."""
    from zfnet.paper.report.page import report_stage

    report_stage(results, read(settings), out, light)


COMMANDS = (table, figure, claims, report)
