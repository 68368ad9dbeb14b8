// What a researcher writes, as a cell has it: compiled by the TypeScript of the notebooks' kernel, with its options.
import {
  bool,
  connect,
  count,
  LabError,
  optional,
  Plot,
  point,
  seconds,
  show,
  text,
  type RowOf,
  type RttRow,
} from '@community-lab/kernel'

async function main(): Promise<void> {
  const lab = connect()
  const nodes = await lab.nodes.find({ state: 'production', arch: 'x86_64' })
  const slice = await lab.slices.ensure('hello', { template: 'tiny', nodes: nodes.slice(0, 3) })
  await slice.started()
  const [a, b] = slice.slivers
  const result = await a.sh`ping -c 5 ${b.address}`
  const exitCode: number | null = result.exitCode
  const all = await slice.sh`uname -snm`
  const outputs: string[] = all.map(({ stdout }) => stdout)
  const run = await slice.measure('rtt', { from: a, to: 'n5', everyMs: 200, forMs: 10_000 })
  await run.rows('rtt').take(50)
  for await (const { rtt_s, time, lost } of run.rows('rtt'))
    if (!lost && rtt_s !== null) console.log(rtt_s * 1e3, time.toISOString())
  const first: RttRow[] = await run.rows('rtt').take(1)
  const probes = await run.sql<RttRow>`from rtt order by time`
  const late: number = probes.filter(({ late }) => late).length + first.length
  // @ts-expect-error the rows of other measurements are not known
  for await (const row of run.rows('mine')) console.log(row.value * 2)
  await lab.virtual().cutLink('n2', 'n5')
  const outcomes = await run.done()
  const rejected: number | null = outcomes.orThrow()[0].rejected
  const pair = await slice.run('pair', {
    programs: [
      { on: a, script: 'exec iperf3 -s -1' },
      { on: 'n2', script: 'exec iperf3 -c "$1"', args: [a.address], env: { LC_ALL: 'C' } },
    ],
  })
  await pair.cancel()
  const beat = point('beat', {
    rtt_s: optional(seconds('round trip')),
    hops: count('routers on the way'),
    lost: bool(),
    peer: text(),
  })
  const beats = await slice.run({ name: 'beats', programs: [{ script: '…' }], points: [beat] })
  await beats.rows(beat).forEach(({ time, rtt_s, hops, lost, peer }) => {
    const text: string = peer
    if (!lost && rtt_s !== null) console.log(time.toISOString(), rtt_s * 1e3, hops + 1, text)
  })
  const every: RowOf<typeof beat>[] = await beats.rows(beat).toArray()
  const losses: boolean[] = (await beats.sql<RowOf<typeof beat>>`from beat`).map((row) => row.lost)
  console.log(every[0].run, losses)
  await beats.live(beat, (rows) =>
    Plot.plot({ marks: [Plot.dot(rows, { x: 'time', y: (row) => row.rtt_s })] }),
  )
  await beats.live((rows) => rows.length, { windowRows: 100 })
  // @ts-expect-error a field that the point does not have
  await beats.rows(beat).forEach(({ ttl }) => console.log(ttl))
  // @ts-expect-error text is no number
  await beats.rows(beat).forEach(({ peer }) => console.log(peer * 2))
  const made = (await a.sh({ cwd: '/srv', timeoutMs: 5_000 })`make`).orThrow()
  const bytes: Uint8Array = made.stdoutBytes
  await a.download('/root/results', 'results')
  const got = await slice.download('/root/results', 'results', { maxBytes: 1e9 })
  const file: Uint8Array = await b.read('/etc/hostname')
  const ends: Date = (await slice.renew()).expiresAt
  console.log(rejected, bytes, got.ok, file, ends)
  const rows =
    await run.sql`select time, rtt_s * 1e3 as rtt_ms from rtt where peer = ${'n5'} order by time`
  const typed = await run.sql<{ n: number }>`select count(*) as n from rtt`
  const total: number = typed[0].n + typed.length
  show(
    Plot.plot({
      title: 'Round trip',
      width: 820,
      grid: true,
      y: { label: 'round trip (ms)', zero: true },
      color: { legend: true, type: 'ordinal', scheme: 'dark2' },
      marks: [
        Plot.ruleX(
          rows.filter((row) => row.rtt_ms === null),
          { x: 'time' },
        ),
        Plot.line(rows, { x: 'time', y: 'rtt_ms' }),
      ],
    }),
  )
  show((await slice.traceroute('n1', 'n5')).path)
  const health = await lab.health()
  await health.sql`select node from node_health`
  try {
    await slice.release()
  } catch (error) {
    if (LabError.is(error, 'LAB_SLICE_FAILED')) console.log(error.details.failed)
  }
  const roomy = await lab.nodes.find({
    island: 'valley',
    group: 'red',
    resources: { memoryMiB: 256 },
  })
  const [group] = await lab.groups.mine()
  const roles: readonly string[] = group.myRoles
  const mine: readonly string[] = (await lab.slices.mine()).map(({ name }) => name)
  console.log(roomy.length, roles, mine, await lab.groups.get('red'))
  // @ts-expect-error a resource by another name
  await lab.nodes.find({ resources: { memory: 256 } })
  // @ts-expect-error a state that no node has
  await lab.nodes.find({ state: 'gone' })
  // @ts-expect-error a measurement that there is not
  await slice.measure('jitter', { from: a, to: b, everyMs: 200, forMs: 10_000 })
  // @ts-expect-error an object is no argument
  await slice.sh`echo ${{ a: 1 }}`
  console.log(exitCode, outputs, outcomes.ok, total, late)
}
void main()
