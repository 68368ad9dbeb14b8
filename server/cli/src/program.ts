import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { addDoctor } from './command/doctor.ts'
import { addNode } from './command/node.ts'
import { leaf, nodeCount, parameter, port } from './command/option.ts'
import { run, type RunOptions } from './command/run.ts'
import { addSlice } from './command/slice.ts'
import { start, type StartOptions } from './command/start.ts'
import { addStatus } from './command/status.ts'
import { addTemplate } from './command/template.ts'
import { addToken } from './command/token.ts'
import { addVct } from './command/vct.ts'
import type { Context } from './context.ts'

/** Where a command leaves its exit code, when it is not 0 and no error says so. */
export interface Outcome {
  exitCode: number
}

/** Put the whole command line together. */
export function createProgram(context: Context, outcome: Outcome): Command {
  const program = new Command('community-lab')
    .description("Community-Lab's command line: a testbed, from this checkout")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
      outputError: (text, write) => write(text),
    })
    .showHelpAfterError('(--help tells what there is)')
    .showSuggestionAfterError()
  addStart(program, context)
  addRun(program, context, outcome)
  addStatus(program, context)
  addVct(program, context)
  addNode(program, context)
  addSlice(program, context)
  addTemplate(program, context)
  addToken(program, context)
  addDoctor(program, context, outcome)
  return program
}

const StartOption = Type.Object({
  flags: Type.String(),
  description: Type.String(),
  value: Type.Optional(Type.String()),
})

function addStart(program: Command, context: Context): void {
  const command = leaf(
    program,
    'start',
    'start a virtual testbed and JupyterLab on it, until Ctrl-C (`npm start` sets up first)',
  )
  // `npm start -- --help` shows the same list before anything is installed.
  const file = join(context.checkout, 'server/cli/setup/start-options.json')
  for (const { flags, description, value } of Value.Parse(
    Type.Array(StartOption),
    JSON.parse(readFileSync(file, 'utf8')),
  )) {
    const read = flags.startsWith('--nodes') ? nodeCount : flags.includes('port') ? port : null
    if (value === undefined) command.option(flags, description)
    else if (read === null) command.option(flags, description, value)
    else command.option(flags, description, read, read(value))
  }
  command.action((options: StartOptions) => start(context, options))
}

function addRun(program: Command, context: Context, outcome: Outcome): void {
  leaf(program, 'run <notebook>', 'execute a notebook, on the running testbed or one brought up')
    .option('--output <file>', 'write the executed notebook here')
    .option('--param <name=value>', 'set a parameter; may be repeated', parameter, [])
    .option('--nodes <count>', 'virtual nodes, when one is brought up', nodeCount, 5)
    .option('--port <port>', "the server's port, when one is brought up", port, 8080)
    .action(async (notebook: string, options: RunOptions) => {
      outcome.exitCode = await run(context, notebook, options)
    })
}
