import { stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { parseArgs } from 'node:util'
import { LabError, messageOf } from '@community-lab/contract'
import { describeOwner, ownerStates } from '../plan/owner.ts'
import { longestReason, readOwner, writeOwner } from './setting.ts'

/** Text of `community-lab-agent --help`: the owner's is its only command. */
export const ownerHelp = `community-lab-agent                                 run the agent
community-lab-agent owner [STATE] [--reason TEXT]

The owner of a device decides on the device itself, also without the server, whether it runs slivers:

  safe         stop them and keep their files
  failure      remove them with all their files
  production   end this; what the server wants counts again

Without a state it prints what is set. COMMUNITY_LAB_AGENT_DATA is the agent's data folder. A running agent follows at once and
reports it, with the reason and who set it; one that is started later follows from its start on.
`

/** Options of {@link runOwnerCommand}. */
export interface OwnerCommandOptions {
  /** The words after `owner`. */
  readonly args: readonly string[]
  readonly dataDir: string
  /** The name of the user who asks; default: that of this process. */
  readonly by?: string
  readonly write: (text: string) => void
}

/**
 * Set or print what the owner of this node wants, as the command line of the device does.
 *
 * @throws {@link LabError} LAB_CLI_USAGE.
 */
export async function runOwnerCommand(options: OwnerCommandOptions): Promise<void> {
  const { dataDir, write, by = userName() } = options
  const { positionals, values } = parseWords(options.args)
  if (values.help === true) {
    write(ownerHelp)
    return
  }
  const [word, more] = positionals
  const reason = values.reason?.trim() ?? ''
  const state = ownerStates.find((one) => one === word)
  if (more !== undefined || (word !== undefined && state === undefined))
    throw usage(`${JSON.stringify(more ?? word)} is no state; there are ${ownerStates.join(', ')}`)
  if (reason.length > longestReason || /\p{Cc}/u.test(reason) || !reason.isWellFormed())
    throw usage(`a reason is one line of at most ${longestReason} characters`)
  if (state === undefined) {
    if (reason !== '') throw usage('a reason needs a state')
    write(`${describeOwner(await readOwner(dataDir))?.message ?? 'the owner has set nothing'}\n`)
    return
  }
  await requireFolder(dataDir)
  const since = new Date().toISOString()
  await writeOwner(dataDir, { state, reason: reason === '' ? null : reason, by, since })
  write(`${outcomes[state]}\n`)
}

const outcomes = {
  production: 'this node does what the server wants of it again',
  safe: 'this node stops its slivers and keeps their files, until you set production',
  failure:
    'this node removes its slivers with their files, and makes none until you set production',
} as const

function parseWords(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { reason: { type: 'string' }, help: { type: 'boolean' } },
    })
  } catch (error) {
    throw usage(messageOf(error))
  }
}

/** The name of the user who asks, also with sudo. */
function userName(): string {
  const asked = process.env['SUDO_USER']
  if (asked !== undefined && asked !== '') return asked
  try {
    return userInfo().username
  } catch {
    // This user has no name here.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

function usage(problem: string): LabError {
  return new LabError('LAB_CLI_USAGE', { problem })
}

/** A folder that does not exist is most likely misspelt: then no agent would ever follow. */
async function requireFolder(dataDir: string): Promise<void> {
  const problem = await stat(dataDir).then(
    (found) => (found.isDirectory() ? null : 'it is no folder'),
    messageOf,
  )
  if (problem !== null)
    throw usage(`the agent's data folder ${dataDir} (COMMUNITY_LAB_AGENT_DATA): ${problem}`)
}
