import { expect, it } from 'vitest'
import { attackBeside, nothingNoticed, startAnother, type HostileWorld } from './world.ts'

/** Attacks on what all slivers of a node have in common besides its network: processes and inodes. */
export function attackWithBombs(world: () => HostileWorld): void {
  it('costs itself alone when it makes processes that make processes', async () => {
    const { lab } = world()
    const bomber = await lab.slices.ensure('forks', { template: 'tiny', nodes: ['n1'] })
    await bomber.started()
    const seen = await attackBeside(world(), async () => {
      const bomb = 'b() { b | b & }; b > /dev/null 2>&1 < /dev/null &'
      await bomber.slivers.at(0)?.exec(`${bomb} sleep 3`)
      await startAnother(world())
      await bomber.release()
    })
    expect(seen).toEqual(nothingNoticed(seen))
  })

  it('costs itself alone when it makes files until there are no inodes left', async () => {
    const { lab } = world()
    const bomber = await lab.slices.ensure('inodes', { template: 'tiny', nodes: ['n1'] })
    await bomber.started()
    const seen = await attackBeside(world(), async () => {
      const bomb = 'cd /root && seq 1 40000 | xargs -n 500 touch'
      const result = await bomber.slivers.at(0)?.exec(bomb)
      expect(result?.stderr).toContain('No space left')
      await startAnother(world())
      await bomber.release()
    })
    expect(seen).toEqual(nothingNoticed(seen))
  })
}
