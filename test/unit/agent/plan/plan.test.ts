import type { NodeSetState, SliceSetState } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import type { SliverStage } from '../../../../agent/src/sliver/slivers.ts'
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

for (const member of ['instance_sn', 'slice_instance_sn'] as const) {
  it(`makes a sliver anew when its ${member} is greater`, () => {
    const target = aTarget([aSliverTarget({ [member]: 1 })])
    for (const stage of ['allocated', 'deployed', 'started'] as const)
      expect(planFor(target, aCurrent([aStatus({ stage })])).map((step) => step.kind)).toEqual([
        'remove',
        'allocate',
        'deploy',
        'start',
      ])
  })
}

it('leaves a sliver alone whose numbers are not greater', () => {
  const ahead = aCurrent([aStatus({ instanceSn: 3, sliceInstanceSn: 3 })])
  expect(planFor(aTarget([aSliverTarget({ instance_sn: 2 })]), ahead)).toEqual([])
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

  it('is not repeated by a number that was acted upon, nor by a smaller one', () => {
    const boot = { bootSn: 1, lives: {} }
    expect(planFor(target, aCurrent([aStatus()], boot))).toEqual([])
    expect(planFor(aTarget(), aCurrent([aStatus()], boot))).toEqual([])
  })
})
