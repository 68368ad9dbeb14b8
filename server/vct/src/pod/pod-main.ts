import process from 'node:process'
import { createInterface } from 'node:readline'
import { LabError, toProblem } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { doStep } from '../progress.ts'
import { PodConfiguration, stopLine, type PodLine } from './configuration.ts'
import { foldersOf } from './folders.ts'
import { preparePod } from './start-up.ts'
import { planTestbed } from './testbed.ts'
import { runTestbed } from './supervisor.ts'

/**
 * The pod's supervisor. Its only argument is a `PodConfiguration`. A line on standard input, the control socket or SIGTERM makes it end
 * properly. When its standard input ends, it ends at once. The pod ends with it.
 */
async function main(): Promise<void> {
  const configuration: unknown = JSON.parse(process.argv[2] ?? '')
  if (!Value.Check(PodConfiguration, configuration))
    throw new LabError('LAB_INTERNAL', { what: 'the pod was given no configuration' })
  process.umask(0o022)
  const folders = foldersOf(configuration.home, configuration.uid)
  const stopping = new AbortController()
  const stop = (): void =>
    stopping.abort(new LabError('LAB_VCT_STOPPING', { home: configuration.home }))
  process.once('SIGTERM', stop)
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      if (line === stopLine) stop()
    })
    // Nobody waits for a proper end any more.
    .on('close', () => process.exit(1))
  const { signal } = stopping
  try {
    await doStep(say, 'pod', () => preparePod(configuration, folders, signal))
    await runTestbed(planTestbed(configuration, folders), { say, signal, stop })
  } catch (error) {
    if (!signal.aborted) throw error
  }
  say({ pod: 'stopped' })
}

function say(line: PodLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

try {
  await main()
  process.exit(0)
} catch (error) {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`${what}\n`)
  const told = LabError.is(error) ? error : new LabError('LAB_INTERNAL', { what: String(error) })
  say({ error: toProblem(told) })
  process.exit(1)
}
