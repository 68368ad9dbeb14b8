"""Output is complete, in order, and belongs to the cell that caused it."""

import json
import os

from kernel import KernelCase, has_text, text_of
from nbformat.v4 import output_from_msg


class Output(KernelCase):
    def test_50000_lines_arrive_complete_and_in_few_messages(self):
        published = self.ok("for (let i = 0; i < 50_000; i++) console.log('line ' + i)")
        self.assertEqual(text_of(published), "".join(f"line {i}\n" for i in range(50_000)))
        self.assertLess(len(published), 200)

    def test_50000_lines_of_a_cell_that_waits_now_and_then_arrive_complete(self):
        published = self.ok(
            "for (let i = 0; i < 50_000; i++) {\n"
            "  process.stdout.write(i + ' ')\n"
            "  if (i % 1000 === 0) await new Promise(setImmediate)\n}"
        )
        self.assertEqual(text_of(published), "".join(f"{i} " for i in range(50_000)))

    def test_both_streams_and_displays_keep_their_order(self):
        published = self.ok(
            "console.log('a'); console.error('b'); console.log('c')\n"
            "(globalThis as any)[Symbol.for('community-lab.display')].display({ 'text/plain': 'd' })\n"
            "console.log('e')".replace("\n(", "\n;(")
        )
        shown = [
            m["content"]["text"] if m["msg_type"] == "stream" else m["content"]["data"]["text/plain"]
            for m in published
        ]
        self.assertEqual([text.strip() for text in shown], ["a", "b", "c", "d", "e"])

    def test_late_output_goes_to_the_cell_that_started_it(self):
        first = self.kc.execute(
            "const gate = Promise.withResolvers<void>()\n"
            "void gate.promise.then(() => setTimeout(() => console.log('late'), 1))".replace(
                "Promise.withResolvers<void>()", "(Promise as any).withResolvers()"
            )
        )
        self.iopub(first)
        second = self.kc.execute("gate.resolve(); console.log('second')")
        late = self.iopub(first, until=has_text("late"))
        self.assertEqual(len(late), 1)
        self.reply(second)

    def test_what_a_started_program_prints_is_shown(self):
        msg_id = self.kc.execute(
            "import { spawnSync } from 'node:child_process'\n"
            "const ended = spawnSync('echo', ['from outside'], { stdio: 'inherit' }).status"
        )
        self.iopub(msg_id, until=has_text("from outside"))
        self.reply(msg_id)

    def test_an_error_that_nobody_caught_is_printed_and_the_kernel_lives(self):
        msg_id = self.kc.execute("setTimeout(() => { throw new Error('uncaught one') }, 1)\nlet alive = 1")
        self.iopub(msg_id, until=has_text("uncaught one"))
        self.reply(msg_id)
        self.assertEqual(self.ok("alive")[-1]["content"]["data"]["text/plain"], "1")

    def test_what_is_shown_as_text_is_text(self):
        published = self.ok(
            "import { display } from 'tslab'\n"
            "display.html(5 as any); display.text({ a: 1 } as any); display.svg(null as any)\n"
            "display.raw('application/json', { b: [1, null] } as any)\n"
            "const shown = { [Symbol.for('Jupyter.display')]: () => ({ 'text/plain': 7, 'text/html': ['<p>', 'lines'] }) }; shown"
        )
        self.assertEqual(
            [m["content"]["data"] for m in published],
            [
                {"text/html": "5"},
                {"text/plain": "{ a: 1 }"},
                {"image/svg+xml": "null"},
                {"application/json": {"b": [1, None]}},
                {"text/plain": "7", "text/html": "<p>lines"},
            ],
        )
        for m in published:
            output_from_msg(m)

    def test_metadata_of_what_is_shown_stays_as_it_is(self):
        published = self.ok(
            "const shows = (globalThis as any)[Symbol.for('community-lab.display')]\n"
            "shows.display({ 'text/html': '<p>' }, { 'text/html': { isolated: true }, tries: 3 })"
        )
        self.assertEqual(published[0]["content"]["metadata"], {"text/html": {"isolated": True}, "tries": 3})

    def test_half_a_surrogate_pair_becomes_a_character_that_can_be_saved(self):
        shows = "(globalThis as any)[Symbol.for('community-lab.display')].display"
        for code in (
            "console.log('\\ud83d half')",
            f"{shows}({{ 'text/html': 'half \\ude00' }})",
            f"{shows}({{ 'application/json': {{ a: ['half \\ude00'] }} }}, {{ of: 'half \\ude00' }})",
            "const halved = { [Symbol.for('Jupyter.display')]: () => ({ 'text/plain': '\\ud83d half' }) }; halved",
            "throw Object.assign(new Error('half \\ude00'), { name: '\\ud83d' })",
        ):
            content, published = self.run_cell(code)
            for found in [content, *(m["content"] for m in published)]:
                json.dumps(found, ensure_ascii=False).encode("utf-8")
            self.assertIn("\ufffd", json.dumps([content, [m["content"] for m in published]], ensure_ascii=False), code)

    def test_a_whole_surrogate_pair_stays(self):
        self.assertEqual(text_of(self.ok("console.log('\\ud83d' + '\\ude00 \\\\ud83d')")), "\U0001f600 \\ud83d\n")

    def test_the_bound_halves_no_surrogate_pair(self):
        published = self.ok("process.stdout.write('.' + '\\ud83d\\ude00'.repeat(4 * 1024 * 1024 + 5))")
        self.assertEqual(text_of(published), "." + "\U0001f600" * (4 * 1024 * 1024 - 1))
        file = text_of(published, "stderr").split(" is in ")[1].split("]")[0]
        with open(file, encoding="utf-8") as kept:
            self.assertEqual(kept.read(), "\U0001f600" * 6)
    def test_a_value_that_cannot_be_shown_and_that_nobody_caught_is_told_and_variables_stay(self):
        self.ok("let held = 42")
        msg_id = self.kc.execute(
            "setTimeout(() => { throw { [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('y') } } }, 1)"
        )
        self.iopub(msg_id, until=has_text("Uncaught a value that cannot be shown"))
        self.reply(msg_id)
        self.assertEqual(self.ok("held")[-1]["content"]["data"]["text/plain"], "42")

    def test_output_beyond_the_bound_goes_to_a_file_that_is_named(self):
        published = self.ok("const block = 'x'.repeat(1023) + '\\n'\nfor (let i = 0; i < 9 * 1024; i++) process.stdout.write(block)")
        self.assertEqual(len(text_of(published)), 8 * 1024 * 1024)
        notice = text_of(published, "stderr")
        self.assertEqual(notice.count("what follows is in"), 1)
        file = notice.split(" is in ")[1].split("]")[0]
        self.assertTrue(file.startswith(os.environ["COMMUNITY_LAB_HOME"]), file)
        self.assertEqual(os.path.getsize(file), 1024 * 1024)

    def test_results_displays_and_errors_have_the_bound_of_printed_text(self):
        shows = "(globalThis as any)[Symbol.for('community-lab.display')].display"
        for code in (
            "const long = { [Symbol.for('Jupyter.display')]: () => ({ 'text/html': 'x'.repeat(20_000_000) }) }; long",
            f"{shows}({{ 'text/html': 'x'.repeat(20_000_000) }})",
            f"for (let i = 0; i < 40; i++) {shows}({{ 'text/html': 'x'.repeat(1_000_000) }})",
            "throw new Error('x'.repeat(20_000_000))",
        ):
            content, published = self.run_cell(code)
            shown = json.dumps([m["content"] for m in published])
            self.assertLess(len(shown), 10 * 1024 * 1024, code)
            self.assertTrue(" is in " in shown, code)
            self.assertLess(len(json.dumps(content)), 1024 * 1024, code)

    def test_what_started_programs_print_has_the_bound_too(self):
        msg_id = self.kc.execute(
            "import { execSync } from 'node:child_process'\n"
            "execSync('yes | head -c 30000000', { stdio: 'inherit' })\n'done'"
        )
        published = self.iopub(msg_id, until=has_text("what follows is in"))
        self.assertLessEqual(len(text_of(published)), 8 * 1024 * 1024)
        self.reply(msg_id)

    def test_what_a_cell_and_its_programs_print_shares_one_bound(self):
        msg_id = self.kc.execute(
            "import { execSync } from 'node:child_process'\n"
            "process.stdout.write('x'.repeat(7 * 1024 * 1024))\n"
            "await new Promise((done) => setTimeout(done, 50))\n"
            "execSync('yes | head -c 7000000', { stdio: 'inherit' })\n'done'"
        )
        published = self.iopub(msg_id, until=has_text("what follows is in"))
        self.assertLessEqual(len(text_of(published)), 8 * 1024 * 1024)
        self.reply(msg_id)

    def test_a_figure_that_is_the_last_expression_is_drawn(self):
        published = self.ok(
            "import { Plot } from '@community-lab/kernel'\n"
            "Plot.plot({ marks: [Plot.dot([{ a: 1, b: 2 }], { x: 'a', y: 'b' })] })"
        )
        data = published[-1]["content"]["data"]
        self.assertTrue(data["image/svg+xml"].startswith("<svg "), data)
        self.assertIn("image/png", data)
        self.assertTrue(data["text/plain"].startswith("[figure, "), data["text/plain"])
