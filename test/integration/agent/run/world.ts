import {
  lendsAll,
  type RunReport,
  type RunTarget,
  type SampleRecord,
  type SliverTarget,
} from '@community-lab/contract'
import { expect } from 'vitest'
import type { NodeWanted } from '../../../../agent/src/plan/wanted.ts'
import type { TestAgent } from '../sliver/world/agent.ts'

/** A run on sliver 1@3, for the instance of the sliver that its target has. */
export function aRun(changes: Partial<RunTarget> & Pick<RunTarget, 'program'>): RunTarget {
  return {
    id: `test-20260101T000000Z-${(++made).toString(16).padStart(12, '0')}`,
    sliver: '1@3',
    slice_instance_sn: 0,
    instance_sn: 0,
    start_at: null,
    limit_ms: null,
    is_cancelled: false,
    ...changes,
  }
}
let made = 0

/** The target of node 3 with these runs. */
export function aTarget(slivers: readonly SliverTarget[], runs: readonly RunTarget[]): NodeWanted {
  return {
    node: { id: 3, name: 'n3', set_state: 'production', boot_sn: 0 },
    arch: null,
    mgmtPrefix: null,
    sliverMacPrefix: 0x0ac1,
    lends: lendsAll,
    slivers,
    runs,
    notices: [],
    nodeNotices: [],
  }
}

/** Wait until a run is in a state; returns what is reported of it. */
export async function reaches(
  agent: TestAgent,
  { id }: RunTarget,
  state: RunReport['state'],
): Promise<RunReport> {
  const now = async () => (await agent.runs()).find((run) => run.id === id)
  await expect
    .poll(async () => [state, 'ended'].includes((await now())?.state ?? ''), { timeout: 60_000 })
    .toBe(true)
  expect(await now()).toMatchObject({ state, message: null })
  const found = (await agent.runs()).find((run) => run.id === id)
  if (found === undefined) throw new Error(`run ${id} is not reported`)
  return found
}

/** Return the samples of a run, in order. */
export async function samplesOf(
  agent: TestAgent,
  { id }: RunTarget,
): Promise<readonly SampleRecord[]> {
  return (await agent.samples(1)).filter(({ fields }) => fields['run'] === id)
}

/** Wait until all output of a run is in the spool; returns it. Rows that are missing or double are an error. */
export async function outputOf(agent: TestAgent, run: RunTarget, bytes: number): Promise<string> {
  const read = async (): Promise<Buffer> => {
    let all = Buffer.alloc(0)
    for (const { name, fields } of await samplesOf(agent, run)) {
      if (name !== 'run_output') continue
      expect(fields['at_byte']).toBe(all.length)
      const { text, base64 } = fields
      const content = text ?? base64
      if (typeof content !== 'string') throw new Error('a row of output has no content')
      const part = Buffer.from(content, text === undefined ? 'base64' : 'utf8')
      all = Buffer.concat([all, part])
    }
    return all
  }
  await expect.poll(async () => (await read()).length, { timeout: 60_000 }).toBe(bytes)
  return (await read()).toString('latin1')
}
