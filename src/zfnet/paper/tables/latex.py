"""A table for LaTeX: booktabs rules, ours and the paper's number under one heading, notes below.

The document needs the packages booktabs and array, and an encoding of UTF-8, which is LaTeX's own since 2018.
"""

import re
from collections.abc import Iterable, Sequence

import pandas as pd

SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%#_${}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
    "…": r"\dots{}",
}
SIDES = (", ours", ", paper")  # ends of headings that share a measure


def escaped(text: str) -> str:
    """A text as LaTeX prints it; a leading bracket is kept from being an option of the row before."""
    text = re.sub(r"(?<!\w)-(?=\d)", "−", text)
    protected = "".join(SPECIAL.get(character, character) for character in text)
    return f"{{}}{protected}" if protected.startswith(("[", "*")) else protected


def booktabs(title: str, name: str, shown: pd.DataFrame, notes: Sequence[str]) -> str:
    r"""The table environment of a table of texts, to be read with \input.

    Parameters
    ----------
    name : of its label, `tab:name`.
    shown : columns by their headings; two that follow each other as 'm, ours' and 'm, paper' stand under one 'm'.
    """
    columns = [f"{column}" for column in shown.columns]
    return "\n".join(
        [
            "% needs \\usepackage{array,booktabs}",
            "\\begin{table}",
            "\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}",
            f"\\caption{{{escaped(title)}}}\\label{{tab:{name}}}",
            f"\\begin{{tabular}}{{>{{\\raggedright\\arraybackslash}}p{{0.3\\linewidth}}{'r' * (len(columns) - 1)}}}",
            "\\toprule",
            *_head(columns),
            "\\midrule",
            *(_row(map(escaped, row)) for row in shown.to_numpy()),
            "\\bottomrule",
            "\\end{tabular}",
            *(f"\n\\smallskip\\parbox{{\\linewidth}}{{\\raggedright {escaped(note)}}}" for note in notes),
            "\\end{table}\n",
        ]
    )


def _head(columns: Sequence[str]) -> list[str]:
    """Two rows of headings with a rule under every shared one; one row where none is shared."""
    groups = _groups(columns)
    upper = [f"\\multicolumn{{2}}{{c}}{{{escaped(name)}}}" if width == 2 else "" for name, width in groups]
    lower = [cell for name, width in groups for cell in (("ours", "paper") if width == 2 else (escaped(name),))]
    if not any(upper):
        return [_row(lower)]
    starts = [1 + sum(width for _, width in groups[:i]) for i in range(len(groups))]
    rules = [f"\\cmidrule(lr){{{at}-{at + 1}}}" for at, (_, width) in zip(starts, groups, strict=True) if width == 2]
    return [_row(upper), " ".join(rules), _row(lower)]


def _groups(columns: Sequence[str]) -> list[tuple[str, int]]:
    """Headings from left to right with the number of columns that they stand over."""
    groups: list[tuple[str, int]] = []
    for column in columns:
        shared = column.removesuffix(SIDES[1])
        if column.endswith(SIDES[1]) and groups and groups[-1] == (shared + SIDES[0], 1):
            groups[-1] = (shared, 2)
        else:
            groups.append((column, 1))
    return groups


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + " \\\\"
