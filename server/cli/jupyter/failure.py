"""Describe a failed cell: which one, at which of its lines, and why."""

import re

import nbformat

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
# The position in a cell, in the format of the kernel "TypeScript (Community-Lab)".
PLACE = re.compile(r"cell-(\d+)(?:-\d+)?\.ts:(\d+)")


def describe_failure(cells: list[nbformat.NotebookNode], number: int) -> tuple[str, str]:
    """Return a sentence, and the traceback. Cells are numbered from 1, as in the executed notebook."""
    cell = cells[number - 1]
    error = [output for output in cell.outputs if output.output_type == "error"][-1]
    lines = [ESCAPES.sub("", line) for line in error.traceback]
    text = "\n".join(lines)
    report = text if text else "(the kernel gives no traceback; what the cell printed tells more)"
    what = error.ename if error.evalue == "" else f"{error.ename}: {error.evalue.splitlines()[0]}"
    at = next((int(line) for count, line in PLACE.findall(text) if int(count) == cell.execution_count), None)
    source = cell.source.splitlines()
    if at is None or not 1 <= at <= len(source):
        return f"cell {number} of {len(cells)} failed: {what}; it begins `{beginning_of(cell)}`", report
    return f"cell {number} of {len(cells)} failed at its line {at}, `{source[at - 1].strip()}`: {what}", report


def describe_death(cells: list[nbformat.NotebookNode], number: int) -> tuple[str, str]:
    """Return the same for a cell during which the kernel has died."""
    begins = beginning_of(cells[number - 1])
    return f"the kernel died in cell {number} of {len(cells)}, which begins `{begins}`", "(a dead kernel gives no traceback; what the cell printed is above)"


def beginning_of(cell: nbformat.NotebookNode) -> str:
    return cell.source.splitlines()[0].strip()
