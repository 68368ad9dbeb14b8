import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { addAudit } from './command/audit.ts'
import { addCompletion } from './command/completion.ts'
import { addDoctor } from './command/doctor.ts'
import { addGroup } from './command/group.ts'
import { addHost } from './command/host.ts'
import { addIsland } from './command/island.ts'
import { addMail } from './command/mail.ts'
import { addNode } from './command/node.ts'
import { leaf, nodeCount, parameter, port, usualPort } from './command/option.ts'
import { addRequest } from './command/request.ts'
import { run, type RunOptions } from './command/run.ts'
import { addRuns } from './command/runs.ts'
import { addServer } from './command/server.ts'
import { addSlice } from './command/slice.ts'
import { start, type StartOptions } from './command/start.ts'
import { addStatus } from './command/status.ts'
import { addTemplate } from './command/template.ts'
import { addToken } from './command/token.ts'
import { addUser } from './command/user.ts'
import { addVct } from './command/vct.ts'
import type { Context } from './context.ts'

/** The exit code of a command that fails without an error. */
export interface Outcome {
  exitCode: number
}

/** Build the whole command line. */
export function createProgram(
  context: Context,
  outcome: Outcome,
  { json }: { readonly json: boolean },
): Command {
  const program = new Command('community-lab')
    .version(ownVersion(), '--version', "this program's version")
    .description("Community-Lab's command line: a testbed, from this checkout")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
      // With --json the error is printed later, as JSON.
      outputError: (text, write) => (json ? undefined : write(text)),
    })
    .showHelpAfterError(json ? false : '(--help tells what there is)')
    .showSuggestionAfterError()
    .addHelpText('after', examples)
  addStart(program, context)
  addRun(program, context, outcome)
  addStatus(program, context)
  addVct(program, context)
  addNode(program, context)
  addSlice(program, context)
  addRuns(program, context)
  addTemplate(program, context)
  addHost(program, context)
  addIsland(program, context)
  addServer(program, context)
  addGroup(program, context)
  addUser(program, context)
  addRequest(program, context)
  addToken(program, context)
  addAudit(program, context)
  addMail(program, context)
  addDoctor(program, context, outcome)
  addCompletion(program, context)
  return program
}

const Package = Type.Object({ version: Type.String() })

function ownVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return Value.Parse(Package, JSON.parse(text)).version
}

const examples = `
To begin with:
  npm start                                      a virtual testbed, and JupyterLab on it
  npx community-lab run notebooks/01-first-slice.ipynb
  npx community-lab vct node n3 cut              cut a virtual node off; start brings it back
  npx community-lab doctor                       what this machine lacks
`

const runHelp = `
What its cells print comes as they print it. Parameters are set behind the cell that has the tag "parameters", each by the type that it is declared with:
a text takes its value as it stands, all else is written as TypeScript writes it. A value that does not fit, or would change, is refused.
Exit codes: 0; 1 when a cell failed, with its error; 130 when stopped by Ctrl-C. The executed notebook is written in each case.

  npx community-lab run notebooks/01-first-slice.ipynb --output executed.ipynb
  npx community-lab run a.ipynb --param count=3 --param seed=12345678901234567890 --param version=1.10 --param 'sizes=[1, 2]'
`

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
    if (value === undefined && read === null) command.option(flags, description)
    else if (value === undefined) command.option(flags, description, read ?? port)
    else if (read === null) command.option(flags, description, value)
    else command.option(flags, description, read, read(value))
  }
  command.action((options: StartOptions) => start(context, options))
}

function addRun(program: Command, context: Context, outcome: Outcome): void {
  const param = new Option('--param <name=value>', 'set a parameter; may be repeated')
  leaf(program, 'run <notebook>', 'execute a notebook, on the running testbed or one brought up')
    .option('--output <file>', 'write the executed notebook here (default: nowhere)')
    .addOption(param.argParser(parameter).default([], 'none'))
    .option('--nodes <count>', 'virtual nodes, when one is brought up', nodeCount, 5)
    .option('--port <port>', `the server's port, when one is brought up (${usualPort})`, port)
    .addHelpText('after', runHelp)
    .action(async (notebook: string, options: RunOptions) => {
      outcome.exitCode = await run(context, notebook, options)
    })
}
