"""Notebooks as files, and the kernels they name."""

import json
import os
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager


class Trouble(Exception):
    """Why a notebook cannot be run: a sentence that says what to do."""


def read_notebook(file: Path) -> nbformat.NotebookNode:
    """Read a notebook, without what an earlier run left in it."""
    try:
        notebook = nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(notebook)
    except OSError as error:
        raise Trouble(f"{file} cannot be read ({error.strerror})") from error
    except (json.JSONDecodeError, UnicodeDecodeError, nbformat.reader.NotJSONError) as error:
        raise Trouble(f"{file} is not a notebook: it is not JSON; choose an .ipynb file") from error
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise Trouble(f"{file} is not a notebook that Jupyter takes ({reason}); open and save it in JupyterLab") from error
    for cell in code_cells(notebook):
        cell.outputs = []
        cell.execution_count = None
    return notebook


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells that there is something to run in, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip() != ""]


def tags_of(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def find_kernel(notebook: nbformat.NotebookNode, file: Path) -> str:
    """The name of the kernel that the notebook asks for."""
    known = sorted(KernelSpecManager().find_kernel_specs())
    wanted = notebook.metadata.get("kernelspec", {}).get("name")
    if wanted is None:
        raise Trouble(f"{file} names no kernel; open it in JupyterLab, choose one and save it (there are: {', '.join(known)})")
    if wanted not in known:
        raise Trouble(f"{file} asks for the kernel {json.dumps(wanted)}, which is not installed (there are: {', '.join(known)})")
    return wanted


def write_notebook(notebook: nbformat.NotebookNode, file: Path) -> None:
    """Write a notebook whole or not at all."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        # A character that is no UTF-8 (half a surrogate pair) must not cost all the others.
        half.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", errors="replace")
        half.replace(file)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise Trouble(f"{file} cannot be written ({error.strerror}); choose another --output") from error
