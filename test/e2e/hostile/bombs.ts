import { expect, it } from 'vitest'
import { attackBeside, nothingNoticed, startAnother, type HostileWorld } from './world.ts'

/** Attacks on what all slivers of a node have in common besides its network: processes, inodes, memory, open files and what the kernel does for whoever crashes. */
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

  it('costs itself alone when it fills every place that is in memory, and asks for more', async () => {
    const { lab } = world()
    const bomber = await lab.slices.ensure('memory', { template: 'tiny', nodes: ['n1'] })
    await bomber.started()
    const seen = await attackBeside(world(), async () => {
      const fill = 'for at in /dev/shm /run; do dd if=/dev/zero of=$at/zeros bs=1M count=64; done'
      const filled = await bomber.slivers.at(0)?.exec(fill)
      expect(filled?.stderr.match(/No space left/gu)).toHaveLength(2)
      // What is killed for it is a program of the sliver, again and again.
      const ask = 'for nr in $(seq 20); do head -c 1g /dev/zero | tail > /dev/null; done; echo on'
      const asked = await bomber.slivers.at(0)?.exec(ask)
      expect(asked?.stdout).toBe('on\n')
      await startAnother(world())
      await bomber.release()
    })
    expect(seen).toEqual(nothingNoticed(seen))
  })

  it('costs itself alone when its programs crash one after another, and leaves no dump', async () => {
    const { lab } = world()
    const bomber = await lab.slices.ensure('crashes', { template: 'tiny', nodes: ['n1'] })
    await bomber.started()
    const seen = await attackBeside(world(), async () => {
      const crash = 'cd /tmp && for nr in $(seq 1000); do sh -c "kill -SEGV \\$\\$"; done; ls'
      const crashed = await bomber.slivers.at(0)?.exec(crash)
      expect(crashed?.stdout).not.toContain('core')
      await startAnother(world())
      await bomber.release()
    })
    expect(seen).toEqual(nothingNoticed(seen))
  })

  it('costs itself alone when each of its processes opens as many files as it can', async () => {
    const { lab } = world()
    const bomber = await lab.slices.ensure('files', { template: 'tiny', nodes: ['n1'] })
    await bomber.started()
    const seen = await attackBeside(world(), async () => {
      // Each iperf3 has a socket for each stream; so there are some five thousand.
      const open =
        'for port in $(seq 6000 6019); do iperf3 -s -D -p $port; iperf3 -c ::1 -p $port -P 128 -u -b 1k -t 3 > /dev/null 2>&1 < /dev/null & done; sleep 4'
      await bomber.slivers.at(0)?.exec(open)
      await startAnother(world())
      await bomber.release()
    })
    expect(seen).toEqual(nothingNoticed(seen))
  })
}
