import {
  LabError,
  nearestName,
  path,
  routes,
  Run,
  runOutputMeasurement,
  sliceScope,
} from '@community-lab/contract'
import { joinParts } from '@community-lab/contract/files'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { connectServer } from '../credentials.ts'
import type { Client } from '../http/client.ts'
import { readRows } from '../http/rows.ts'
import { printJson, type PrintOptions } from '../output/print.ts'
import { listSlices } from './lists.ts'
import { findNamed } from './name.ts'
import { leaf } from './option.ts'
import { nameOf } from './people.ts'
import { showFiles, type FilesOptions } from './runs-files.ts'
import { describeRunState, nodeOf, printRun, printRuns } from './runs-view.ts'

interface RunOptions extends PrintOptions {
  /** The slice of the run, by name or id. */
  readonly slice?: string
}

const help = `
A run is programs on slivers, which notebooks start (slice.run, slice.measure). It goes on without them. \`community-lab run\`, without an s, executes a notebook.

  community-lab runs list --slice crawl
  community-lab runs output ticks > ticks.txt
  community-lab runs files ticks --to ./ticks       each file into ./ticks/NODE/
`

/** `community-lab runs …` */
export function addRuns(program: Command, context: Context): void {
  const runs = program
    .command('runs')
    .description("the runs of one's groups: programs on slivers")
    .addHelpText('after', help)
  const add = (name: string, description: string): Command =>
    leaf(runs, name, description).option('--slice <slice>', 'of this slice')
  add('list', 'all runs, newest first').action(async (options: RunOptions) => {
    const client = connectServer(context)
    const slices = await listSlices(client)
    printRuns(context, await listRuns(client, options, slices), { ...options, slices })
  })
  add('show <name>', 'one run, and what became of it on each sliver').action(
    async (name: string, options: RunOptions) => {
      const client = connectServer(context)
      const { run, slice } = await findRun(client, name, options)
      if (options.json === true) printJson(context, run)
      else printRun(context, run, slice)
    },
  )
  add('output <name>', 'what its programs have printed so far').action(
    async (name: string, options: RunOptions) => {
      const client = connectServer(context)
      const { run } = await findRun(client, name, options)
      await showOutput(context, client, { run, ...options })
    },
  )
  add('cancel <name>', 'end it on all slivers').action(
    async (name: string, options: RunOptions) => {
      const client = connectServer(context)
      const { run } = await findRun(client, name, options)
      const url = path(routes.runCancel, { id: run.id })
      const cancelled = await client.ask(Run, url, { method: 'POST' })
      if (options.json === true) printJson(context, cancelled)
      else
        context.out.write(
          run.ended_on === null
            ? `run ${run.name} is cancelled; its programs have two seconds to end\n`
            : `run ${run.name} has ended already\n`,
        )
    },
  )
  add('files <name>', 'the files that its programs have kept')
    .option('--to <folder>', 'write them into this folder, in a folder for each node')
    .action(async (name: string, options: RunOptions & FilesOptions) => {
      const client = connectServer(context)
      const { run } = await findRun(client, name, options)
      await showFiles(context, client, { run, ...options })
    })
}

type Slices = Awaited<ReturnType<typeof listSlices>>

function listRuns(
  client: Client,
  { slice }: RunOptions,
  slices: Slices,
  filter: Readonly<Record<string, string>> = {},
): Promise<readonly Run[]> {
  const of = slice === undefined ? null : findNamed('slice', slices, slice)
  const asked = { ...filter, ...(of === null ? {} : { '/slice/id': String(of.id) }) }
  const query = new URLSearchParams(asked).toString()
  return client.list(Run, query === '' ? routes.runs : `${routes.runs}?${query}`)
}

/** Find a run by its name, or its id. @throws {@link LabError} LAB_CLI_UNKNOWN_NAME; LAB_CLI_USAGE when several slices have one. */
async function findRun(
  client: Client,
  name: string,
  options: RunOptions,
): Promise<{ readonly run: Run; readonly slice: string }> {
  const slices = await listSlices(client)
  const found = await listRuns(client, options, slices, { '/name': JSON.stringify(name) })
  const [run, other] = found
  if (run !== undefined && other === undefined) return { run, slice: nameOf(slices, run.slice) }
  if (other !== undefined) {
    const all = found.map((one) => nameOf(slices, one.slice)).join(', ')
    const problem = `slices ${all} each have a run ${name}; name one by --slice`
    throw new LabError('LAB_CLI_USAGE', { problem })
  }
  const all = await listRuns(client, options, slices)
  const byId = all.find(({ id }) => id === name)
  if (byId !== undefined) return { run: byId, slice: nameOf(slices, byId.slice) }
  const known = all.map((one) => one.name)
  const suggestion = nearestName(name, known)
  throw new LabError('LAB_CLI_UNKNOWN_NAME', { kind: 'run', name, suggestion, known })
}

/** Print what the server has of the output of a run. What is not there yet, or was not kept, is told beside. */
async function showOutput(
  context: Context,
  client: Client,
  { run, json }: PrintOptions & { readonly run: Run },
): Promise<void> {
  const scope = sliceScope(run.slice.id)
  const asked = { scope, name: runOutputMeasurement, run: run.id, signal: context.signal }
  const rows = await readRows(client, asked)
  const outputs = run.parts.map((part) => {
    const bytes = joinParts(rows.filter((row) => row['sliver'] === part.sliver.id))
    const isWhole = part.state === 'ended' && bytes.length >= part.output_bytes
    return {
      ...{ sliver: part.sliver.id, node: nodeOf(part), text: bytes.toString('utf8') },
      ...{ is_whole: isWhole, lost_bytes: part.lost_bytes, state: part.state },
    }
  })
  if (json === true) {
    printJson(context, outputs)
    return
  }
  for (const { node, text, is_whole: isWhole, lost_bytes: lost, state } of outputs) {
    if (outputs.length > 1) context.out.write(`==> ${node} <==\n`)
    context.out.write(context.out.isTTY === true ? text.replaceAll(/[^\P{Cc}\n\t]/gu, '?') : text)
    if (text !== '' && !text.endsWith('\n')) context.out.write('\n')
    const why = state === 'ended' ? 'some of it has not come, or was removed' : `it is ${state}`
    if (!isWhole) context.err.write(`note: not all output of ${node} is here: ${why}\n`)
    if (lost > 0) context.err.write(`note: ${node} has not kept ${lost} further bytes\n`)
  }
  if (outputs.length === 0) context.err.write(`note: run ${run.name}: ${describeRunState(run)}\n`)
}
