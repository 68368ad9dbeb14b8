import type { NodeSetState, SliceSetState } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import type { Current } from '../../../../agent/src/plan/plan.ts'
import type { SliverStage } from '../../../../agent/src/plan/observed.ts'
import { aCurrent, applyStep, aSliverTarget, aStatus, aTarget, planFor, word } from './situation.ts'

type Stage = SliverStage | 'none'

/** What is planned in production, by what is wanted and by how far the sliver is. */
const production: Record<SliceSetState | 'absent', Record<Stage, string[]>> = {
  start: {
    none: ['allocate', 'deploy', 'start'],
    registered: ['allocate', 'deploy', 'start'],
    allocated: ['deploy', 'start'],
    deployed: ['start'],
    started: [],
  },
  deploy: {
    none: ['allocate', 'deploy'],
    registered: ['allocate', 'deploy'],
    allocated: ['deploy'],
    deployed: [],
    started: ['stop'],
  },
  register: {
    none: [],
    registered: ['remove'],
    allocated: ['remove'],
    deployed: ['remove'],
    started: ['remove'],
  },
  absent: {
    none: [],
    registered: ['remove'],
    allocated: ['remove'],
    deployed: ['remove'],
    started: ['remove'],
  },
}

const always = (kind: string): Record<Stage, string[]> => ({
  none: [],
  registered: [kind],
  allocated: [kind],
  deployed: [kind],
  started: [kind],
})
const onlyStops = { ...always(''), registered: [], allocated: [], deployed: [], started: ['stop'] }
const byNode: Record<Exclude<NodeSetState, 'production'>, Record<Stage, string[]>> = {
  safe: onlyStops,
  debug: always('remove'),
  failure: always('remove'),
}

const stages = ['none', 'registered', 'allocated', 'deployed', 'started'] as const
const wishes = ['start', 'deploy', 'register', 'absent'] as const

function kinds(setState: NodeSetState, wish: (typeof wishes)[number], stage: Stage): string[] {
  const wanted = wish === 'absent' ? [] : [aSliverTarget({ set_state: wish })]
  const present = stage === 'none' ? [] : [aStatus({ stage })]
  return planFor(aTarget(wanted, { set_state: setState }), aCurrent(present)).map(
    (step) => step.kind,
  )
}

describe('a node in production', () => {
  for (const wish of wishes)
    for (const stage of stages)
      it(`moves a sliver that is ${stage} and wanted ${wish} by [${production[wish][stage].join(', ')}]`, () => {
        expect(kinds('production', wish, stage)).toEqual(production[wish][stage])
      })
})

describe('a node out of production', () => {
  for (const setState of ['safe', 'debug', 'failure'] as const)
    for (const wish of wishes)
      for (const stage of stages)
        it(`${setState}: a sliver that is ${stage} and wanted ${wish} gets [${byNode[setState][stage].join(', ')}]`, () => {
          expect(kinds(setState, wish, stage)).toEqual(byNode[setState][stage])
        })
})

it('removes slivers that nobody wants before it adds others', () => {
  const target = aTarget([aSliverTarget({ id: '2@1' })])
  const steps = planFor(target, aCurrent([aStatus({ id: '1@1' })]))
  expect(steps.map(word)).toEqual(['remove 1@1', 'allocate 2@1', 'deploy 2@1', 'start 2@1'])
})

for (const [member, first] of [
  ['instance_sn', ['remove', 'allocate']],
  ['slice_instance_sn', ['undeploy']],
] as const) {
  it(`makes a new instance of a sliver whose ${member} is another, also a smaller one`, () => {
    for (const stage of ['allocated', 'deployed', 'started'] as const)
      for (const number of [0, 2]) {
        const target = aTarget([
          aSliverTarget({ instance_sn: 1, slice_instance_sn: 1, [member]: number }),
        ])
        const present = aStatus({ stage, instanceSn: 1, sliceInstanceSn: 1 })
        const steps = planFor(target, aCurrent([present])).map((step) => step.kind)
        expect(steps).toEqual([...first, 'deploy', 'start'])
      }
  })
}

describe('a sliver whose record cannot be read', () => {
  const error = { member: '', message: 'unreadable' }
  const situation = (pid: number | null): Current => ({
    ...aCurrent(),
    unreadable: [{ id: '1@1', error, pid }],
  })

  it('is neither made again nor removed, whoever wants it', () => {
    for (const target of [
      aTarget(),
      aTarget([]),
      aTarget([aSliverTarget({ set_state: 'deploy' })]),
    ])
      expect(planFor(target, situation(null))).toEqual([])
    expect(planFor(aTarget(), situation(7))).toEqual([])
  })

  it('is stopped when it is not to run', () => {
    const resting = [aSliverTarget({ set_state: 'deploy' })]
    for (const target of [aTarget([]), aTarget(resting)])
      expect(planFor(target, situation(7))).toEqual([{ kind: 'stop', id: '1@1', why: 'set_state' }])
    for (const set_state of ['safe', 'debug', 'failure'] as const)
      expect(planFor(aTarget(undefined, { set_state }), situation(7))).toEqual([
        { kind: 'stop', id: '1@1', why: 'node_state' },
      ])
  })
})

describe('a sliver of which it is unclear what is wanted', () => {
  const notice = {
    sliver: '1@1',
    error: { member: '', message: 'unclear' },
    effect: 'held',
  } as const
  const unclear = (set_state: 'production' | 'safe' | 'debug') => ({
    ...aTarget([], { set_state }),
    notices: [notice],
  })

  it('stays as it is while the node is in production', () => {
    expect(planFor(unclear('production'), aCurrent([aStatus()]))).toEqual([])
    expect(planFor(unclear('production'), aCurrent())).toEqual([])
  })

  it('obeys the state of the node', () => {
    const kindsOf = (state: 'safe' | 'debug') =>
      planFor(unclear(state), aCurrent([aStatus()])).map(({ kind }) => kind)
    expect([kindsOf('safe'), kindsOf('debug')]).toEqual([['stop'], ['remove']])
  })
})

it('writes changed keys into a sliver that runs, and before it starts one that does not', () => {
  const target = aTarget([aSliverTarget({ ssh_authorized_keys: ['a', 'b'] })])
  expect(planFor(target, aCurrent([aStatus()]))).toEqual([
    { kind: 'authorize', id: '1@1', sshAuthorizedKeys: ['a', 'b'] },
  ])
  const deployed = aCurrent([aStatus({ stage: 'deployed' })])
  expect(planFor(target, deployed).map((step) => step.kind)).toEqual(['authorize', 'start'])
})

describe('a reboot', () => {
  const target = aTarget(undefined, { boot_sn: 1 })

  it('is noted before anything else is done', () => {
    expect(planFor(target, aCurrent([aStatus()]))).toEqual([{ kind: 'reboot', bootSn: 1 }])
  })

  it('restarts each sliver that ran, once', () => {
    const running = aCurrent([aStatus()])
    const [note] = planFor(target, running)
    const noted = note ? applyStep(running, note) : running
    const steps = planFor(target, noted)
    expect(steps.map((step) => step.kind)).toEqual(['stop', 'start'])
    expect(planFor(target, steps.reduce(applyStep, noted))).toEqual([])
  })

  it('goes on where it was, when the agent was killed between stop and start', () => {
    const noted = applyStep(aCurrent([aStatus()]), { kind: 'reboot', bootSn: 1 })
    const stopped = applyStep(noted, { kind: 'stop', id: '1@1', why: 'reboot' })
    const steps = planFor(target, stopped)
    expect(steps.map((step) => step.kind)).toEqual(['start'])
    expect(planFor(target, steps.reduce(applyStep, stopped))).toEqual([])
  })

  it('is not repeated by a number that was acted upon', () => {
    const boot = { bootSn: 1, lives: {} }
    expect(planFor(target, aCurrent([aStatus()], boot))).toEqual([])
  })

  it('restarts nothing for a smaller number, and counts on from there', () => {
    const running = aCurrent([aStatus()], { bootSn: 7, lives: {} })
    const noted = planFor(target, running).reduce(applyStep, running)
    expect(noted.boot.bootSn).toBe(1)
    expect(planFor(target, noted)).toEqual([])
    const again = planFor(aTarget(undefined, { boot_sn: 2 }), noted).reduce(applyStep, noted)
    const steps = planFor(aTarget(undefined, { boot_sn: 2 }), again)
    expect(steps.map(({ kind }) => kind)).toEqual(['stop', 'start'])
  })
})
