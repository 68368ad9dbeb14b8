"""Set the parameters of a notebook, by papermill's convention: a cell with the tag `parameters` has the defaults, and a cell after it has the given values."""

import nbformat
from notebook_file import NotebookUnusable, tags_of


def inject_parameters(notebook: nbformat.NotebookNode, code: str | None) -> None:
    """Insert a cell with this code after the cell of the defaults. It replaces the cell that an earlier run has inserted."""
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in tags_of(cell)]
    if code is None:
        return
    place = next((at for at, cell in enumerate(notebook.cells) if "parameters" in tags_of(cell)), None)
    if place is None:
        raise NotebookUnusable("the notebook has no parameters: give the cell that declares them, `let count = 3`, the tag `parameters`")
    cell = nbformat.v4.new_code_cell(code, metadata={"tags": ["injected-parameters"]})
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        # Cells have ids only since version 4.5 of the format.
        del cell["id"]
    notebook.cells.insert(place + 1, cell)
