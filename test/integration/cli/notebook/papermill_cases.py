"""Have papermill put parameters into notebooks: reads `{ "cell", "given" (YAML), "run" }` as JSON, a case a line, and prints what came of each, a line of JSON too."""

import json
import sys

import nbformat
import papermill
import yaml

for line in sys.stdin:
    case = json.loads(line)
    cells = [nbformat.v4.new_code_cell(case["cell"], metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell("globalThis.process.stdout.write('next')")]
    kernelspec = {"name": "communitylab", "display_name": "TypeScript", "language": "typescript"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), "in.ipynb")
    told = {}
    try:
        papermill.execute_notebook("in.ipynb", "out.ipynb", yaml.safe_load(case["given"]), prepare_only=not case["run"], progress_bar=False)
    except Exception as error:
        told["error"] = str(error)
    if "error" not in told or case["run"]:
        executed = nbformat.read("out.ipynb", as_version=4)
        told["written"] = next(cell.source for cell in executed.cells if "injected-parameters" in cell.metadata.get("tags", []))
        told["ran"] = len(executed.cells[-1].outputs) > 0
    told["parameters"] = papermill.inspect_notebook("in.ipynb")
    print(json.dumps(told))
