"""Jupyter's own test suite for kernels, with sample cells for this kernel."""

from jupyter_kernel_test import IopubWelcomeTests, KernelTests


class Conformance(KernelTests):
    kernel_name = "communitylab"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = 'console.log("hello, world")'
    code_stderr = 'console.error("oops")'
    completion_samples = [
        {"text": "Math.cei", "matches": {"ceil"}},
        {"text": "[1].flatM", "matches": {"flatMap"}},
    ]
    complete_code_samples = ["1", "Math.max?", "const a = 1", "function f() { return 1 }", "await 1"]
    incomplete_code_samples = ["function f() {", "for (const x of [1]) {", "[1,", "`begun", "1 +"]
    invalid_code_samples = ["const = 1", "}", '"begun']
    code_generate_error = 'throw new Error("bad")'
    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": '"ab".toUpperCase()', "result": "'AB'"},
        {"code": "[1, 2].map(x => x * 2)", "result": "[ 2, 4 ]"},
        {"code": "6 * 7", "result": "42"},
    ]
    code_display_data = [
        {
            "code": '(globalThis as any)[Symbol.for("community-lab.display")].display({ "text/html": "<b>1</b>" })',
            "mime": "text/html",
        },
        {"code": 'import { display } from "tslab"; display.svg("<svg/>")', "mime": "image/svg+xml"},
    ]
    code_history_pattern = "1 ? 2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "Math.max"
    code_clear_output = "console.log(1); console.clear()"
    code_page_something = "Math.max?"


class Welcome(IopubWelcomeTests):
    kernel_name = "communitylab"
    support_iopub_welcome = True


# These base classes must not run themselves.
del IopubWelcomeTests, KernelTests
