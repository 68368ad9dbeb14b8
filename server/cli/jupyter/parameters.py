"""Parameters of a notebook, by papermill's convention: a cell with the tag `parameters` has the defaults, and a cell behind it the values given."""

import difflib
import json
import re

import nbformat
from notebook_file import Trouble, tags_of

DECLARATION = re.compile(r"^\s*(let|var|const)\s+([A-Za-z_$][\w$]*)", re.MULTILINE)


def inject_parameters(notebook: nbformat.NotebookNode, given: list[str]) -> None:
    """Put a cell with the values given (`NAME=VALUE` each) behind the cell of the defaults; a later value of the same name wins."""
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in tags_of(cell)]
    if not given:
        return
    language = notebook.metadata.get("kernelspec", {}).get("language", "typescript")
    if language not in ("typescript", "javascript"):
        raise Trouble(f"parameters can be given to notebooks in TypeScript, and this one is in {language}; take --param away")
    place = next((at for at, cell in enumerate(notebook.cells) if "parameters" in tags_of(cell)), None)
    if place is None:
        raise Trouble("the notebook has no parameters: give the cell that declares them, `let count = 3`, the tag `parameters`")
    declared = {name: keyword for keyword, name in DECLARATION.findall(notebook.cells[place].source)}
    values = dict(each.split("=", 1) for each in given)
    for name in values:
        if name not in declared:
            raise Trouble(no_such(name, list(declared)))
    cell = nbformat.v4.new_code_cell(source_of(values, declared), metadata={"tags": ["injected-parameters"]})
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        # Cells have had ids since 4.5 only.
        del cell["id"]
    notebook.cells.insert(place + 1, cell)


def source_of(values: dict[str, str], declared: dict[str, str]) -> str:
    # Assigned, they keep the type they were declared with, and TypeScript checks the values; a constant can only be declared anew.
    assigned = [f"  {name} = {literal_of(text)}" for name, text in values.items() if declared[name] != "const"]
    anew = [f"const {name} = {literal_of(text)}" for name, text in values.items() if declared[name] == "const"]
    # In a block the last one is no result that would be shown.
    return "\n".join(["// Parameters", *anew, *(["{", *assigned, "}"] if assigned else [])])


def literal_of(text: str) -> str:
    """JSON as it is, anything else as a string. JSON is TypeScript."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return json.dumps(text, ensure_ascii=False)


def no_such(name: str, declared: list[str]) -> str:
    near = difflib.get_close_matches(name, declared, n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    return f"the notebook has no parameter {name}{hint} (there are: {', '.join(declared) or 'none'}; each is declared on a line of its own)"
