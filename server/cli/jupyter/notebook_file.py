"""Read and write notebooks, and find the kernels that they name."""

import json
import os
import uuid
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager

BYTE_ORDER_MARK = "\ufeff"


class NotebookUnusable(Exception):
    """A notebook cannot be run. The message says why, and what to do."""


def read_notebook(file: Path) -> tuple[nbformat.NotebookNode, list[str]]:
    """Read a notebook, without the outputs of an earlier run. The second result is a sentence for each fault of the file that was corrected."""
    document, notes = read_document(file)
    notes += repair_ids(document, file)
    try:
        notebook = nbformat.v4.to_notebook_json(document)
        nbformat.validate(notebook)
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise NotebookUnusable(f"{file} is not a notebook that Jupyter takes ({reason}); open and save it in JupyterLab") from error
    for cell in code_cells(notebook):
        cell.outputs = []
        cell.execution_count = None
    return notebook, notes


def read_document(file: Path) -> tuple[dict, list[str]]:
    """Read the JSON of a notebook in version 4 of the format."""
    try:
        text = file.read_text(encoding="utf-8")
        notes = []
        if text.startswith(BYTE_ORDER_MARK):
            notes.append(f"{file} begins with a byte order mark, which is left out; save it as UTF-8 without one, because JupyterLab opens no notebook with it")
        document = json.loads(text.removeprefix(BYTE_ORDER_MARK))
    except OSError as error:
        raise NotebookUnusable(f"{file} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise NotebookUnusable(f"{file} is not a notebook: it is not JSON; choose an .ipynb file") from error
    version = document.get("nbformat") if isinstance(document, dict) else None
    if not isinstance(version, int):
        raise NotebookUnusable(f"{file} is not a notebook: it names no version of the notebook format; choose an .ipynb file")
    if version != 4:
        raise NotebookUnusable(f"{file} is of version {version} of the notebook format, and version 4 is needed; open it in JupyterLab, choose a kernel and save it")
    return document, notes


def repair_ids(document: dict, file: Path) -> list[str]:
    """Give a new id to each cell that has none or the id of another cell, as JupyterLab does. Cells have ids since version 4.5 of the format."""
    minor, cells = document.get("nbformat_minor"), document.get("cells")
    if not isinstance(minor, int) or minor < 5 or not isinstance(cells, list):
        return []
    seen: set[str] = set()
    wrong = 0
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        own = cell.get("id")
        if own is None or (isinstance(own, str) and own in seen):
            own = cell["id"] = uuid.uuid4().hex[:8]
            wrong += 1
        if isinstance(own, str):
            seen.add(own)
    if wrong == 0:
        return []
    return [f"{file} has cells without an id of their own ({wrong}); they get one in what is written, save it in JupyterLab to keep them"]


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the code cells that are not empty, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip() != ""]


def tags_of(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def find_kernel(notebook: nbformat.NotebookNode, file: Path) -> str:
    """Return the name of the kernel that the notebook needs."""
    known = sorted(KernelSpecManager().find_kernel_specs())
    wanted = notebook.metadata.get("kernelspec", {}).get("name")
    if wanted is None:
        raise NotebookUnusable(f"{file} names no kernel; open it in JupyterLab, choose one and save it (there are: {', '.join(known)})")
    if wanted not in known:
        raise NotebookUnusable(f"{file} asks for the kernel {json.dumps(wanted)}, which is not installed (there are: {', '.join(known)})")
    return wanted


def write_notebook(notebook: nbformat.NotebookNode, file: Path) -> None:
    """Write a notebook completely or not at all."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        # Half of a surrogate pair cannot be written as UTF-8. It must not stop the rest from being written.
        half.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", errors="replace")
        half.replace(file)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise NotebookUnusable(f"{file} cannot be written ({error.strerror}); choose another --output") from error
