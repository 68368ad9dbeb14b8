"""Defects that users have reported for other kernels. Each check names the report."""

from pathlib import Path

from kernel import TIMEOUT_S, FolderCase, has_text, text_of


class Reported(FolderCase):
    def result(self, code):
        # Output of a timer or a test may come before or after it.
        results = [m for m in self.ok(code) if m["msg_type"] == "execute_result"]
        self.assertEqual(len(results), 1)
        return results[0]["content"]["data"]["text/plain"]

    def test_a_timer_goes_on_while_completions_are_asked_for(self):
        """denoland/deno#20661"""
        started = self.kc.execute("let ticks = 0\nconst timer = setInterval(() => console.log(`tick ${++ticks}`), 1)")
        self.iopub(started)
        self.iopub(started, until=has_text("tick"))
        self.assertEqual(self.reply(self.kc.complete("Math.cei"))["content"]["matches"], ["ceil"])
        self.iopub(started, until=has_text("tick"))
        self.ok("clearInterval(timer)")

    def test_each_line_of_a_loop_is_shown(self):
        """microsoft/vscode-jupyter#15737"""
        self.assertEqual(text_of(self.ok("for (let i = 0; i < 5; i++) { console.log(i) }")), "0\n1\n2\n3\n4\n")

    def test_what_nobody_awaits_is_shown_by_the_cell_that_began_it(self):
        """denoland/deno#22689, jupyter-xeus/xeus-javascript#18"""
        self.ok("const opened = Promise.withResolvers<void>()")
        cells = [self.kc.execute(f"void opened.promise.then(() => console.log('from {n}'))") for n in range(2)]
        for cell in cells:
            self.iopub(cell)
        self.kc.execute("opened.resolve()")
        for n, cell in enumerate(cells):
            self.assertEqual(text_of(self.iopub(cell, until=has_text("from"))), f"from {n}\n")

    def test_a_counter_goes_on_behind_its_cell_with_both_streams(self):
        """n-riesco/ijavascript#68"""
        cell = self.kc.execute(
            "function countTo(number: number) {\n  let n = 1\n"
            "  const counting = setInterval(() => {\n    console.log(n++)\n    if (n > number) { clearInterval(counting); console.warn('Done!') }\n  }, 1)\n}\ncountTo(3)"
        )
        self.assertEqual(text_of(self.iopub(cell, until=has_text("Done!")), "stderr"), "Done!\n")

    def test_a_cell_that_is_stopped_keeps_the_variables(self):
        """denoland/deno#24491"""
        self.ok("var server = 'foo'")
        cell = self.kc.execute("console.log('begun'); await new Promise((done) => setTimeout(done, 10_000))")
        self.iopub(cell, until=has_text("begun"))
        # VS Code sends it on the shell channel, Jupyter on the control channel.
        message = self.kc.session.msg("interrupt_request", {})
        self.kc.shell_channel.send(message)
        kinds = {self.kc.get_shell_msg(timeout=TIMEOUT_S)["msg_type"] for _ in range(2)}
        self.assertEqual(kinds, {"interrupt_reply", "execute_reply"})
        self.assertEqual(self.result("server"), "'foo'")

    def test_an_error_is_shown_however_it_comes(self):
        """denoland/deno#35356"""
        for code in ("throw new Error('bad')", "await Promise.reject(new Error('bad'))", "(() => { throw new Error('bad') })()"):
            content, published = self.run_cell(code)
            self.assertEqual((content["status"], published[-1]["msg_type"], content["evalue"]), ("error", "error", "bad"), code)

    def test_an_imported_module_may_contain_tests(self):
        """denoland/deno#21594"""
        Path(self.folder.name, "with-tests.ts").write_text(
            "import test from 'node:test'\nvoid test('adds', () => undefined)\nexport const add = (a: number, b: number): number => a + b\n"
        )
        self.assertEqual(self.result("import { add } from './with-tests.ts'\nadd(1, 2)"), "3")
        self.assertEqual(self.result("add(2, 2)"), "4")

    def test_one_cell_shows_several_displays(self):
        """denoland/deno#28505"""
        published = self.ok("import { display } from 'tslab'\nfor (const each of ['a', 'b']) display.markdown(each)")
        self.assertEqual([m["content"]["data"] for m in published], [{"text/markdown": "a"}, {"text/markdown": "b"}])

    def test_a_display_that_a_timer_updates_shows_what_a_later_cell_declares(self):
        """n-riesco/nel#9"""
        cell = self.kc.execute("import { newDisplay } from 'tslab'\nlet x = 0\nconst place = newDisplay()\nconst clock = setInterval(() => place.text(`x: ${x}`), 1)")
        shows = lambda text: lambda msg: msg["content"].get("data") == {"text/plain": text}
        self.iopub(cell)
        self.iopub(cell, until=shows("x: 0"))
        self.kc.execute("let x = 2")
        self.iopub(cell, until=shows("x: 2"))
        self.ok("clearInterval(clock)")

    def test_a_cell_with_constants_runs_again(self):
        """n-riesco/ijavascript#107, nteract/archived-desktop-app#1864"""
        for n in range(2):
            self.assertEqual(self.result(f"const again = {n}\nclass Again {{}}\nagain"), str(n))

    def test_a_module_of_the_notebook_is_required(self):
        """n-riesco/jp-babel#12"""
        Path(self.folder.name, "my-module.js").write_text("const { a } = { a: 'val' }\nmodule.exports = a\n")
        self.assertEqual(self.result("const required = require('./my-module')\nrequired"), "'val'")

    def test_a_program_that_prints_much_on_both_streams_ends(self):
        """ipython/ipykernel#847"""
        cell = self.kc.execute(
            "import { execSync } from 'node:child_process'\n"
            "execSync('for i in $(seq 20000); do echo out $i; echo err $i >&2; done; echo last', { stdio: 'inherit' })\n'over'"
        )
        published = self.iopub(cell, until=has_text("last"))
        while "err 20000" not in text_of(published, "stderr"):
            published += self.iopub(cell, until=lambda msg: msg["msg_type"] == "stream")
        for name, word in (("stdout", "out"), ("stderr", "err")):
            lines = [line for line in text_of(published, name).splitlines() if line.startswith(word)]
            self.assertEqual(lines, [f"{word} {n + 1}" for n in range(20_000)])
        self.reply(cell)

    def test_what_a_comm_shows_belongs_to_the_cell_that_registered_it(self):
        """ipython/ipykernel#1564"""
        cell = self.kc.execute(
            "import { registerTarget } from 'community-lab:jupyter'\n"
            "registerTarget('shows', (comm) => comm.onMessage(() => { console.log('heard'); place2.text('shown') }))\nconst place2 = newDisplay()"
        )
        self.iopub(cell)
        for kind, content in (("comm_open", {"target_name": "shows"}), ("comm_msg", {})):
            self.kc.shell_channel.send(self.kc.session.msg(kind, {"comm_id": "s1", "data": {}, **content}))
        published = self.iopub(cell, until=lambda msg: msg["msg_type"] == "display_data")
        self.assertEqual(text_of(published), "heard\n")
