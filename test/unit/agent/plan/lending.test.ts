import { lendsAll, type Lends } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { createLending } from '../../../../agent/src/plan/lending.ts'
import { readWanted } from '../../../../agent/src/plan/wanted.ts'
import { limitOffer } from '../../../../agent/src/report/resources.ts'
import { aSliverTarget, aTarget } from './situation.ts'

const offered = [
  { name: 'memory', total: 1024, max_req: 512, dflt_req: 64 },
  { name: 'cpu', total: 200, max_req: 200, dflt_req: 100 },
] as const
const mgmt = { nr: 1, name: 'mgmt0', type: 'management' } as const
const pub = { nr: 3, name: 'pub1', type: 'public6' } as const

/** A lending at a moment of Monday, 4 May 2026, in UTC. */
function lendingAt(time: string, device: Partial<Lends> = {}) {
  let now = new Date(`2026-05-04T${time}:00Z`)
  const lending = createLending({
    device: { ...lendsAll, ...device },
    timeZone: 'UTC',
    now: () => now,
  })
  return Object.assign(lending, {
    pass: (hours: number) => (now = new Date(+now + hours * 3600_000)),
  })
}

it('of the device’s own settings and those of the registry, the smaller one holds', () => {
  const lending = lendingAt('12:00', { slivers: 5, rate_mbps: 10 })
  lending.use({ ...lendsAll, slivers: 9, rate_mbps: 2, memory_mib: 256, cpu_pct: 50 })
  expect(lending.amounts).toMatchObject({ slivers: 5, rate_mbps: 2, memory_mib: 256 })
  expect(limitOffer(offered, lending.amounts)).toEqual([
    { name: 'memory', total: 256, max_req: 256, dflt_req: 64 },
    { name: 'cpu', total: 50, max_req: 50, dflt_req: 50 },
  ])
  // It reports what the device offers, whatever the registry has.
  expect(lending.describe(offered)).toMatchObject({
    device: { slivers: 5, rate_mbps: 10, memory_mib: 1024, cpu_pct: 200, disk_mib: null },
    time_zone: 'UTC',
    is_open: true,
    opens: null,
  })
})

it('slivers are stopped outside the hours of the device and of the registry, with the reason and when they start again', () => {
  const lending = lendingAt('21:59', { hours: ['22:00-06:00'] })
  lending.use({ ...lendsAll, hours: ['20:00-24:00'] })
  const target = aTarget([aSliverTarget(), aSliverTarget({ id: '2@1', set_state: 'deploy' })])
  const closed = lending.limitTarget(target)
  expect(closed.slivers.map(({ set_state }) => set_state)).toEqual(['deploy', 'deploy'])
  expect(closed.notices.map(({ sliver, error }) => [sliver, error.member])).toEqual([
    ['1@1', '/set_state'],
  ])
  expect(closed.notices[0]?.error.message).toMatch(
    /files are kept.*starts again on mon 22:00 \(UTC\)$/u,
  )
  expect(lending.refresh()).toBe(false)
  lending.pass(1)
  expect(lending.refresh()).toBe(true)
  expect(lending.limitTarget(target)).toEqual(target)
  lending.pass(1.5)
  expect([lending.refresh(), lending.describe([]).opens]).toEqual([true, 'tue 22:00'])
})

it('interfaces of kinds that are not lent are left out, and the sliver says so', () => {
  const lending = lendingAt('12:00', { interfaces: [] })
  const limited = lending.limitTarget(aTarget([aSliverTarget({ interfaces: [mgmt, pub] })]))
  expect(limited.slivers[0]?.interfaces).toEqual([mgmt])
  expect(limited.notices.map(({ error }) => error.member)).toEqual(['/interfaces'])
  expect(limited.notices[0]?.error.message).toContain('kind public6')
})

it('limits that only a newer agent understands are told of, and the others hold', () => {
  const node = { id: 1, name: 'n1', set_state: 'production', boot_sn: 0 }
  const lends = { ...lendsAll, memory_mib: 256, interfaces: ['lora'], hours: ['at night'], gpus: 1 }
  const wanted = readWanted({ node: { ...node, lends }, slivers: [] })
  expect(wanted).toMatchObject({
    node,
    lends: { ...lendsAll, memory_mib: 256, interfaces: [] },
    nodeNotices: [{ member: '/lends/hours' }, { member: '/lends/gpus' }],
  })
  // A server of before sends none.
  expect(readWanted({ node, slivers: [] })).toMatchObject({ lends: lendsAll, nodeNotices: [] })
})
