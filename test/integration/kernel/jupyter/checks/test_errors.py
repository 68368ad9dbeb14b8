"""An error names the line of the cell, and the cells that were queued after it do not run."""

from kernel import KernelCase


class Errors(KernelCase):
    def failure(self, code):
        content, published = self.run_cell(code)
        self.assertEqual(content["status"], "error")
        error = published[-1]["content"]
        for key in ("ename", "evalue", "traceback"):
            self.assertEqual(error[key], content[key])
        return content, "\n".join(content["traceback"])

    def test_an_error_names_the_line_as_it_was_written(self):
        code = (
            "interface Gone {\n  x: number\n}\n\ntype AlsoGone = string\n"
            "const check = (value: Gone) => {\n\n  throw new TypeError('bad ' + value.x)\n}\n\n"
            "await null\ncheck({ x: 1 })"
        )
        content, traceback = self.failure(code)
        count = content["execution_count"]
        self.assertEqual((content["ename"], content["evalue"]), ("TypeError", "bad 1"))
        self.assertIn(f"cell-{count}.ts:8:9", traceback)
        self.assertIn(f"cell-{count}.ts:12:1", traceback)
        self.assertIn("---->   8 |   throw new TypeError", traceback)
        self.assertNotIn("node:internal", traceback)

    def test_an_error_in_a_function_of_an_earlier_cell_names_that_cell(self):
        content, _ = self.run_cell("function deep(n: number): never {\n  throw new RangeError(`${n}`)\n}")
        made = content["execution_count"]
        _, traceback = self.failure("deep(5)")
        self.assertIn(f"cell-{made}.ts:2:9", traceback)
        self.assertIn("---->   2 |   throw new RangeError", traceback)

    def test_the_cause_of_an_error_is_shown(self):
        _, traceback = self.failure("throw new Error('outer', { cause: new Error('inner') })")
        self.assertIn("inner", traceback)

    def test_what_typescript_says_is_an_error_of_the_cell(self):
        content, traceback = self.failure("let fine = 1\nconst wrong: number = 'x'")
        self.assertEqual(content["ename"], "TypeScriptError")
        self.assertIn(":2:7 - Type 'string' is not assignable to type 'number'. (TS2322)", content["evalue"])
        self.assertIn("---->   2 | const wrong", traceback)

    def test_what_typescript_explains_in_steps_is_one_error(self):
        content, traceback = self.failure(
            "function area(box: { side: { w: number } }) { return box.side.w }\nconst box = { side: { w: 'wide' } }\narea(box)"
        )
        place, *steps = content["evalue"].split("\n  ")
        self.assertIn(":3:6 - Argument of type", place)
        self.assertIn("The types of 'side.w' are incompatible", steps[0])
        self.assertIn("Type 'string' is not assignable to type 'number'.", steps[1])
        self.assertEqual(1, traceback.count("---->"))

    def test_a_thrown_value_that_is_no_error_is_shown(self):
        content, _ = self.failure("throw { code: 3 }")
        self.assertIn("{ code: 3 }", content["evalue"])

    def test_whatever_is_thrown_ends_the_cell_with_an_error_in_text_and_variables_stay(self):
        self.ok("let safe = 42")
        thrown = {
            "Object.assign(new Error('own'), { [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('y') } })": ("Error", "own"),
            "Object.setPrototypeOf(new Error('bare'), null)": ("Error", "bare"),
            "new (class Odd extends Error { get message(): string { throw new Error('y') } })()": ("Odd", "its message cannot be read"),
            "Object.assign(new Error(), { message: { a: 1 } })": ("Error", "{ a: 1 }"),
            "new (Object.defineProperty(class extends Error {}, 'name', { value: 7 }))('number')": ("Error", "number"),
            "{ [Symbol.toStringTag]: 'Error' }": ("Object", "undefined"),
            "{ get [Symbol.toStringTag](): string { throw new Error('y') } }": ("Error", "thrown: {"),
            "{ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('y') } }": ("Error", "thrown: a value that cannot be shown"),
            "new Proxy(new Error('hidden'), { getPrototypeOf() { throw new Error('y') } })": ("Error", "hidden"),
        }
        for value, (name, message) in thrown.items():
            content, _ = self.failure(f"throw {value}")
            self.assertEqual(content["ename"], name, value)
            self.assertIsInstance(content["evalue"], str, value)
            self.assertIn(message, content["evalue"], value)
        self.assertEqual(self.ok("safe")[-1]["content"]["data"]["text/plain"], "42")

    def test_an_error_whose_own_text_fails_names_its_line(self):
        _, traceback = self.failure(
            "const odd = { [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('y') } }\n"
            "throw Object.assign(new Error('own'), odd)"
        )
        self.assertIn("---->   2 | throw Object.assign", traceback)

    def test_what_a_cell_declared_before_it_failed_stays(self):
        self.failure("const kept = 41\nthrow new Error('later')")
        published = self.ok("kept + 1")
        self.assertEqual(published[-1]["content"]["data"]["text/plain"], "42")

    def test_cells_queued_behind_a_failing_one_are_aborted(self):
        bad = self.kc.execute("throw new Error('stop')")
        queued = [self.kc.execute(f"globalThis.ran{n} = true") for n in range(3)]
        self.assertEqual(self.reply(bad)["content"]["status"], "error")
        for msg_id in queued:
            reply = self.reply(msg_id)["content"]
            self.assertEqual(reply, {"status": "aborted"})
            kinds = [m["content"].get("execution_state") for m in self.iopub(msg_id)]
            self.assertEqual(kinds, ["busy", "idle"])

    def test_the_kernel_is_idle_once_the_cells_behind_a_failing_one_are_aborted(self):
        self.ok("1")
        cells = [self.kc.execute(code) for code in ("throw new Error('stop')", "1", "2")]
        for msg_id in cells:
            self.reply(msg_id)
        self.assertEqual(self.states(), [(cell, state) for cell in cells for state in ("busy", "idle")])

    def test_a_failing_request_that_nobody_sees_aborts_no_cell(self):
        self.kc.execute("throw new Error('behind the scenes')", silent=True)
        seen = self.kc.execute("1")
        self.assertEqual(self.reply(seen)["content"]["status"], "ok")

    def test_a_cell_sent_after_the_reply_to_a_failing_one_runs(self):
        self.failure("throw new Error('over')")
        self.ok("1")

    def test_cells_behind_a_failing_one_run_when_that_was_asked(self):
        bad = self.kc.execute("throw new Error('go on')", stop_on_error=False)
        good = self.kc.execute("5")
        self.assertEqual(self.reply(bad)["content"]["status"], "error")
        self.assertEqual(self.reply(good)["content"]["status"], "ok")

    def test_a_cell_that_ends_its_process_says_that_variables_are_lost(self):
        self.ok("const before = 1")
        content, _ = self.failure("process.exit(3)")
        self.assertEqual(content["ename"], "ProcessExit")
        self.assertIn("exit code 3", content["evalue"])
        self.ok("2")
        content, _ = self.failure("before")
        self.assertIn("Cannot find name 'before'", content["evalue"])
