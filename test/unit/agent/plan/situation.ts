import { lendsAll, type SliverTarget } from '@community-lab/contract'
import type { NodeWanted } from '../../../../agent/src/plan/wanted.ts'
import { noteBoot, type Boot } from '../../../../agent/src/plan/boot.ts'
import { plan, type Current } from '../../../../agent/src/plan/plan.ts'
import type { Failures } from '../../../../agent/src/plan/failure.ts'
import type { Step } from '../../../../agent/src/plan/step.ts'
import type { SliverStatus } from '../../../../agent/src/plan/observed.ts'

/** A node that was never told to reboot. Source: CONFINE, a new node's boot_sn is 0. */
const neverRebooted: Boot = { bootSn: 0, lives: {} }

export const aTemplate = {
  id: 1,
  name: 'tiny',
  type: 'debian',
  node_archs: ['x86_64'],
  is_active: true,
  image_uri: '/api/templates/1/image',
  image_sha256: 'a'.repeat(64),
} satisfies SliverTarget['template']

export const aSliverTarget = (changes: Partial<SliverTarget> = {}): SliverTarget => ({
  id: '1@1',
  slice_id: 1,
  slice_name: 'hello',
  set_state: 'start',
  slice_instance_sn: 0,
  instance_sn: 0,
  template: aTemplate,
  resources: [],
  interfaces: [],
  ssh_authorized_keys: ['ssh-ed25519 AAAA one'],
  ...changes,
})

export const aTarget = (
  slivers: readonly SliverTarget[] = [aSliverTarget()],
  node: Partial<NodeWanted['node']> = {},
): NodeWanted => ({
  node: { id: 1, name: 'n1', set_state: 'production', boot_sn: 0, ...node },
  arch: null,
  mgmtPrefix: null,
  sliverMacPrefix: 0x06ab,
  lends: lendsAll,
  slivers,
  runs: [],
  notices: [],
  nodeNotices: [],
})

export const aStatus = (changes: Partial<SliverStatus> = {}): SliverStatus => {
  const runs = (changes.stage ?? 'started') === 'started'
  return {
    id: '1@1',
    nr: 1,
    stage: 'started',
    sliceInstanceSn: 0,
    instanceSn: 0,
    configuration: null,
    templateSha256: 'a'.repeat(64),
    sshAuthorizedKeys: ['ssh-ed25519 AAAA one'],
    interfaces: [],
    sshHostKey: 'ssh-ed25519 AAAA host',
    startedOn: runs ? '2026-01-01T00:00:00.000Z' : null,
    pid: runs ? 100 : null,
    cgroups: {},
    hasOtherProtection: false,
    ended: null,
    ...changes,
  }
}

export const aCurrent = (
  slivers: readonly SliverStatus[] = [],
  boot: Boot = neverRebooted,
): Current => ({ slivers, unreadable: [], boot, isRebooting: false })

export const planFor = (
  target: NodeWanted,
  current: Current,
  failures: Failures = new Map(),
  nowMs = 0,
): Step[] => plan({ target, current, failures, nowMs })

/** A step in one word. */
export const word = (step: Step): string =>
  step.kind === 'reboot' ? `reboot ${step.bootSn}` : `${step.kind} ${step.id}`

let lives = 0

/** A node on which every step works: what it is after one. */
export function applyStep(current: Current, step: Step): Current {
  const { slivers, boot, unreadable, isRebooting } = current
  if (step.kind === 'reboot')
    return { slivers, unreadable, isRebooting, boot: noteBoot(boot, step.bootSn, slivers) }
  const others = slivers.filter((sliver) => sliver.id !== step.id)
  const before = slivers.find((sliver) => sliver.id === step.id)
  const become = (stage: SliverStatus['stage'], changes: Partial<SliverStatus> = {}): Current => {
    lives += 1
    const life = stage === 'started' ? { pid: lives, startedOn: `life ${lives}` } : {}
    const { startedOn: _startedOn, pid: _pid, ...kept } = before ?? aStatus({ id: step.id })
    return {
      boot,
      unreadable,
      isRebooting,
      slivers: [...others, aStatus({ ...kept, stage, ...life, ...changes })],
    }
  }
  switch (step.kind) {
    case 'remove':
      return { boot, unreadable, isRebooting, slivers: others }
    case 'allocate':
      return become('allocated', {
        sshAuthorizedKeys: [],
        sliceInstanceSn: step.target.slice_instance_sn,
        instanceSn: step.target.instance_sn,
        configuration: step.target,
      })
    case 'undeploy':
      return become('allocated', {
        sshAuthorizedKeys: [],
        sliceInstanceSn: step.sliceInstanceSn,
      })
    case 'deploy':
      return become('deployed', { sshAuthorizedKeys: step.target.ssh_authorized_keys })
    case 'start':
      return become('started')
    case 'stop':
      return become('deployed')
    case 'authorize':
      return {
        boot,
        unreadable,
        isRebooting,
        slivers: slivers.map((sliver) =>
          sliver.id === step.id ? { ...sliver, sshAuthorizedKeys: step.sshAuthorizedKeys } : sliver,
        ),
      }
  }
}
