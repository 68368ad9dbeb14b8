import { join } from 'node:path'
import { routes, Run, Token } from '@community-lab/contract'
import { Argument, type Command } from 'commander'
import Type from 'typebox'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import { isNamedKind, type NamedKind } from '../completion/command-tree.ts'
import { describeCommands } from '../completion/describe-commands.ts'
import type { Proposal } from '../completion/propose.ts'
import { completionScript, shells, type Shell } from '../completion/scripts.ts'
import type { Client } from '../http/client.ts'
import { printJson } from '../output/print.ts'
import { requireFile } from '../set-up.ts'
import { readObjects } from './lists.ts'
import { describeRunState } from './runs-view.ts'

const help = `
A shell reads the script at its start. It completes commands, options, and names that the server knows, for the credentials that commands would use.

  eval "$(npx community-lab completion bash)"      in ~/.bashrc
  eval "$(npx community-lab completion zsh)"       in ~/.zshrc, after compinit

or, so that the shell need not start the program: write it to ~/.local/share/bash-completion/completions/community-lab, or as _community-lab into a folder of zsh's fpath.
`

/** `community-lab completion`, and the hidden commands that it needs. */
export function addCompletion(program: Command, context: Context): void {
  program
    .command('completion')
    .description('print the script by which a shell completes these commands')
    .addArgument(new Argument('<shell>', 'whose script').choices(shells))
    .option('--json', 'print JSON: one document per line, errors too')
    .addHelpText('after', help)
    .action((shell: Shell, options: { readonly json?: boolean }) => {
      const file = requireFile(context.checkout, 'server/cli/dist/completion/main.bundle.js')
      const own = join(context.checkout, 'node_modules/.bin/node')
      const script = completionScript(shell, [own, file])
      if (options.json === true) printJson(context, { shell, script })
      else context.out.write(script)
    })
  program
    .command('__commands', { hidden: true })
    .description('all commands, for the completion')
    .action(() => printJson(context, describeCommands(program)))
  program
    .command('__names <kind>', { hidden: true })
    .description('the names of objects, for the completion')
    .action(async (kind: string) => {
      const names = isNamedKind(kind) ? await findNames(connectServer(context), kind) : []
      printJson(context, names)
    })
}

async function findNames(client: Client, kind: NamedKind): Promise<readonly Proposal[]> {
  if (kind === 'token') {
    const tokens = await client.ask(Type.Array(Token), routes.tokens)
    return tokens.map(({ name, kind: description }) => ({ word: name, description }))
  }
  if (kind === 'runs') {
    const runs = await client.list(Run, routes.runs)
    return runs.map((run) => ({ word: run.name, description: describeRunState(run) }))
  }
  if (kind === 'request') {
    const { request } = await readObjects(client, ['request'])
    return request
      .filter(({ state }) => state === 'pending')
      .map(({ id, kind: what }) => ({ word: String(id), description: what.replace('_', ' ') }))
  }
  const objects = (await readObjects(client, [kind]))[kind]
  return objects.map((one) => ({ word: one.name, description: stateOf(one) }))
}

function stateOf(object: object): string {
  if ('state' in object) return String(object.state)
  return 'set_state' in object ? String(object.set_state) : ''
}
