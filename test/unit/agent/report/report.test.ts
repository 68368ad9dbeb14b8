import { LabError, lendsAll, NodeReport, type SliverTarget } from '@community-lab/contract'
import { Value } from 'typebox/value'
import { expect, it } from 'vitest'
import { describeFault } from '../../../../agent/src/executor/fault.ts'
import { describeWanted, noteFailure, noteSuccess } from '../../../../agent/src/plan/failure.ts'
import { report, type ReportSources } from '../../../../agent/src/report/report.ts'
import { offerResources } from '../../../../agent/src/report/resources.ts'
import type { SliverStep } from '../../../../agent/src/plan/step.ts'
import { aCurrent, aSliverTarget, aStatus, aTarget } from '../plan/situation.ts'

const target = aTarget()
const wanted = describeWanted(target.node, target.slivers[0])
const error = { member: '/template/image_sha256', message: 'corrupted' }

const sources = (changes: Partial<ReportSources> = {}): ReportSources => ({
  facts: {
    softVersion: '0.1.0',
    arch: 'x86_64',
    publicPrefix: 'fd77:0:0:1::/64',
    capabilities: { runtime: 'crun', limits: true, userns: true, lacks: [] },
  },
  target,
  current: aCurrent([aStatus()]),
  failures: new Map(),
  resources: offerResources({ memory: 1000, disk: 4000, cpu: 200, processes: 1000 }),
  lending: { device: lendsAll, time_zone: 'UTC', is_open: true, opens: null },
  runs: [],
  errors: [],
  ...changes,
})

const failed = (step: SliverStep['kind']) =>
  new Map([['1@1', noteFailure(undefined, { step, error, wanted }, 0)]])

it('tells the whole state of the node and of its slivers', () => {
  const made = report(sources())
  expect(made).toMatchObject({ state: 'production', boot_sn: 0, errors: [] })
  expect(made.slivers).toMatchObject([
    { id: '1@1', nr: 1, state: 'started', ssh_host_key: 'ssh-ed25519 AAAA host', errors: [] },
  ])
  expect(Value.Check(NodeReport, { ...made, slivers: [] })).toBe(true)
})

it('tells which data a sliver was made with, whatever it is to have by now', () => {
  const data = { uri: '/api/groups/1/data/a', sha256: 'a'.repeat(64), size_bytes: 1 }
  const made = (configuration: SliverTarget | null) =>
    report(sources({ current: aCurrent([aStatus({ configuration })]) })).slivers[0]
  expect(made(aSliverTarget({ data }))).toMatchObject({ data_sha256: data.sha256 })
  expect(made(aSliverTarget())).toMatchObject({ data_sha256: null })
  // Earlier agents have not noted it.
  expect(made(null)).not.toHaveProperty('data_sha256')
})

it('says of slivers that an earlier agent has started, and of its node, that they keep its protection, and how they get this one', () => {
  const slivers = [1, 2].map((nr) => aStatus({ id: `${nr}@1`, hasOtherProtection: true }))
  const made = report(sources({ current: aCurrent([...slivers, aStatus({ id: '3@1' })]) }))
  expect(made.errors.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^slivers 1@1, 2@1 of node n1 run .*: community-lab node reboot n1$/u),
  ])
  expect(made.slivers.map(({ errors }) => errors.map(({ message }) => message))).toEqual([
    [expect.stringMatching(/^sliver 1@1 of node n1 runs with the system calls/u)],
    [expect.stringMatching(/^sliver 2@1 of node n1 runs/u)],
    [],
  ])
})

it('keeps the code of an error by which the server knows an image that cannot be unpacked', () => {
  const fault = describeFault(
    'allocate',
    new LabError('LAB_TEMPLATE_BROKEN', { template: 'tiny', reason: 'tar: Unexpected EOF' }),
  )
  const failure = noteFailure(undefined, { step: 'allocate', error: fault, wanted }, 0)
  const made = report(sources({ failures: new Map([['1@1', failure]]) }))
  expect(made.slivers[0]?.errors).toEqual([fault])
  expect(fault.code).toBe('LAB_TEMPLATE_BROKEN')
})

it('calls a sliver registered that is wanted and not yet there', () => {
  const wish = aTarget([aSliverTarget({ instance_sn: 2, slice_instance_sn: 3 })])
  const [sliver] = report(sources({ target: wish, current: aCurrent() })).slivers
  expect(sliver).toMatchObject({ nr: null, state: 'registered', instance_sn: 2 })
  expect(sliver?.slice_instance_sn).toBe(3)
})

it('tells of a sliver that nobody wants as long as it is there', () => {
  const slivers = report(sources({ target: aTarget([]) })).slivers
  expect(slivers.map((sliver) => sliver.id)).toEqual(['1@1'])
})

for (const [step, state] of [
  ['allocate', 'fail_allocate'],
  ['deploy', 'fail_deploy'],
  ['start', 'fail_start'],
  ['stop', 'started'],
  ['authorize', 'started'],
] as const)
  it(`calls a sliver ${state} whose step ${step} failed, and says why`, () => {
    const [sliver] = report(sources({ failures: failed(step) })).slivers
    expect(sliver).toMatchObject({ state, errors: [error] })
  })

it('forgets a failure that was healed, or that something else was wanted for', () => {
  const [failure] = failed('deploy').values()
  const healed = failure ? new Map([['1@1', noteSuccess(failure, 1)]]) : new Map()
  const [first] = report(sources({ failures: healed })).slivers
  expect(first).toMatchObject({ state: 'started', errors: [] })
  const other = aTarget([aSliverTarget({ instance_sn: 1 })])
  const [second] = report(sources({ failures: failed('deploy'), target: other })).slivers
  expect(second).toMatchObject({ state: 'started', errors: [] })
})

it('says why a sliver ended that ended by itself', () => {
  const ended = { member: '', message: 'its first process ended with 1' }
  const current = aCurrent([aStatus({ stage: 'deployed', ended })])
  expect(report(sources({ current })).slivers[0]).toMatchObject({
    state: 'deployed',
    errors: [ended],
  })
})

it('is safe until it knows what is wanted, and then what is wanted', () => {
  expect(report(sources({ target: null })).state).toBe('safe')
  for (const state of ['safe', 'debug', 'failure', 'production'] as const)
    expect(report(sources({ target: aTarget([], { set_state: state }) })).state).toBe(state)
})

it('is not in production without a runtime, and says so', () => {
  const { facts } = sources()
  const lacks = ['crun is not installed']
  const without = { ...facts, capabilities: { ...facts.capabilities, runtime: 'none', lacks } }
  const made = report(sources({ facts: without }))
  expect(made.state).toBe('safe')
  expect(made.errors).toMatchObject([{ member: '/capabilities/runtime' }])
  expect(made.errors[0]?.message).toContain('crun is not installed')
})

it('says when limits do not hold, and what else is wrong', () => {
  const { facts } = sources()
  const unlimited = { ...facts, capabilities: { ...facts.capabilities, limits: false } }
  const network = { member: '/mgmt_net', message: 'tincd ended' }
  const made = report(sources({ facts: unlimited, errors: [network] }))
  expect(made.state).toBe('production')
  expect(made.errors.map((one) => one.member)).toEqual(['/capabilities/limits', '/mgmt_net'])
})

it('offers what it has less its own share, and no default beyond the most', () => {
  expect(offerResources({ memory: 1000, disk: 600, cpu: 100, processes: 4_194_304 })).toEqual([
    { name: 'memory', total: 750, max_req: 750, dflt_req: 64 },
    { name: 'disk', total: 100, max_req: 100, dflt_req: 100 },
    { name: 'cpu', total: 100, max_req: 100, dflt_req: 100 },
    { name: 'processes', total: 3_145_728, max_req: 4096, dflt_req: 128 },
  ])
  expect(offerResources({ memory: 1000, disk: 100, cpu: 100, processes: 10 })[1]).toEqual({
    name: 'disk',
    total: 0,
    max_req: 0,
    dflt_req: 0,
  })
})

it('points at the member at fault', () => {
  const corrupted = new LabError('LAB_TEMPLATE_CHECKSUM', {
    template: 'tiny',
    expected: 'a',
    found: 'b',
  })
  expect(describeFault('deploy', corrupted)).toEqual({
    member: '/template/image_sha256',
    message: corrupted.message,
  })
  expect(describeFault('allocate', new Error('no room')).member).toBe('/resources')
  expect(describeFault('authorize', 'odd')).toEqual({
    member: '/ssh_authorized_keys',
    message: 'odd',
  })
})
