import { expect, it } from 'vitest'
import {
  attackBeside,
  hostileSliver,
  nothingNoticed,
  readMeasurement,
  startAnother,
  type HostileWorld,
} from './world.ts'

/** Attacks with lines on the measurement path. */
export function attackWithFloods(world: () => HostileWorld): void {
  it('costs itself alone when it writes 2 MiB of newlines in eight writes', async () => {
    const before = await refusedLines(world())
    const seen = await attackBeside(world(), async () => {
      const newlines = 'head -c 2097152 /dev/zero | tr "\\0" "\\n"'
      const written = await hostileSliver(world()).exec(
        `${newlines} > /tmp/newlines && dd if=/tmp/newlines of=/run/community-lab/measure bs=262144`,
      )
      expect(written.exitCode).toBe(0)
      await startAnother(world())
    })
    expect(seen).toEqual(nothingNoticed(seen))
    // An empty line is nothing, so a line behind them is read, and none is refused.
    await hostileSliver(world()).exec('echo "behind value=1" > /run/community-lab/measure')
    await expect
      .poll(() => readMeasurement(world(), world().hostile, 'behind'), { interval: 500 })
      .toHaveLength(1)
    expect(await refusedLines(world())).toBe(before)
  })

  it('costs itself alone when it writes good lines as fast as it can', async () => {
    const before = await refusedLines(world())
    let written = 0
    const seen = await attackBeside(world(), async () => {
      const loop = 'yes "flood value=1" | head -n 2000000 > /run/community-lab/measure'
      const result = await hostileSliver(world()).exec(loop)
      expect(result.exitCode).toBe(0)
      written = 2_000_000
      await startAnother(world())
    })
    expect(seen).toEqual(nothingNoticed(seen))
    await expectRefused(world(), before, written / 2)
  })

  it('costs itself alone when it writes a line without an end', async () => {
    const seen = await attackBeside(world(), async () => {
      const endless = 'timeout 5 dd if=/dev/zero of=/run/community-lab/measure bs=65536'
      await hostileSliver(world()).exec(endless)
      // This ends the open line, so that the next line is a line of its own.
      await hostileSliver(world()).exec('echo > /run/community-lab/measure')
      await startAnother(world())
    })
    expect(seen).toEqual(nothingNoticed(seen))
  })
}

async function refusedLines(world: HostileWorld): Promise<number> {
  const rows = await readMeasurement(world, world.hostile, 'rejected')
  return rows.reduce((sum, { lines }) => sum + Number(lines), 0)
}

/** Wait until so many more lines are counted as refused. They are counted once a second, in few rows. */
async function expectRefused(world: HostileWorld, before: number, more: number): Promise<void> {
  await expect
    .poll(() => refusedLines(world), { interval: 500 })
    .toBeGreaterThanOrEqual(before + more)
  expect((await readMeasurement(world, world.hostile, 'rejected')).length).toBeLessThan(200)
}
