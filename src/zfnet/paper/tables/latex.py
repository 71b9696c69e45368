"""Write a table for LaTeX: booktabs rules, ours and the paper's number under one heading, notes below.

The document needs the packages booktabs and array, and UTF-8 encoding, LaTeX's default since 2018.
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
    """Escape a text for LaTeX; a leading bracket must not become an option of the preceding row."""
    text = re.sub(r"(?<!\w)-(?=\d)", "−", text)
    protected = "".join(SPECIAL.get(character, character) for character in text)
    return f"{{}}{protected}" if protected.startswith(("[", "*")) else protected


def booktabs(title: str, label: str, shown: pd.DataFrame, notes: Sequence[str]) -> str:
    r"""Return the table environment of a table of texts, to be read with \input.

    Parameters
    ----------
    label : for \ref.
    shown : columns by their headings; neighbours 'm, ours' and 'm, paper' share one heading 'm'.
    """
    columns = [f"{column}" for column in shown.columns]
    return "\n".join(
        [
            "% needs \\usepackage{array,booktabs}",
            "\\begin{table}",
            "\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}",
            f"\\caption{{{escaped(title)}}}\\label{{{label}}}",
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
    """Return two rows of headings with a rule under every shared one; one row if none is shared."""
    groups = _groups(columns)
    upper = [f"\\multicolumn{{2}}{{c}}{{{escaped(name)}}}" if width == 2 else "" for name, width in groups]
    lower = [cell for name, width in groups for cell in (("ours", "paper") if width == 2 else (escaped(name),))]
    if not any(upper):
        return [_row(lower)]
    starts = [1 + sum(width for _, width in groups[:i]) for i in range(len(groups))]
    rules = [f"\\cmidrule(lr){{{at}-{at + 1}}}" for at, (_, width) in zip(starts, groups, strict=True) if width == 2]
    return [_row(upper), " ".join(rules), _row(lower)]


def _groups(columns: Sequence[str]) -> list[tuple[str, int]]:
    """Return headings from left to right with the number of columns that they span."""
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
