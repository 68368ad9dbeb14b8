import { existsSync } from 'node:fs'
import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hostInterface } from '../../../../agent/src/sliver/domain/interfaces.ts'
import type { Place } from '../../../support/place.ts'
import { livesOneLife } from '../../../support/sliver-life.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { makeData } from './world/data.ts'
import { hostAddress, powerOn, type Machine } from './world/machine.ts'
import { createSshUser, managementAddress, publicAddress, type SshUser } from './world/ssh.ts'
import { buildTemplate, corrupt, wanted, type TestTemplate } from './world/template.ts'

/** What the contract is held against. */
export interface Subject {
  readonly runtime: 'crun' | 'runc'
  readonly isRoot: boolean
  readonly place: () => Promise<Place>
}

/** What every implementation of slivers promises, on a machine of its own. */
export function describeSlivers(
  name: string,
  { runtime, isRoot, place: makePlace }: Subject,
): void {
  describe(name, () => {
    let place: Place
    let machine: Machine
    let agent: TestAgent
    let template: TestTemplate
    let user: SshUser

    beforeAll(async () => {
      place = await makePlace()
      machine = await powerOn(place, isRoot)
      template = await buildTemplate(machine.dir)
      agent = await startAgent(machine, place, { runtime })
      user = await createSshUser(machine)
    })
    afterAll(async () => {
      await agent[Symbol.asyncDispose]()
      await machine[Symbol.asyncDispose]()
      await removeCgroups(agent.settings.cgroupParent)
    })

    test('the runtime asked for is the one that works', () => {
      expect(agent.capabilities).toMatchObject({ runtime, userns: true })
      if (isRoot) expect(agent.capabilities).toMatchObject({ limits: true, lacks: [] })
    })

    test('a sliver goes through its life step by step, and each step can be asked for again', async () => {
      await livesOneLife(
        {
          step: (name, target) => agent.call(name, target),
          stop: (id) => agent.call('stop', id),
          undeploy: (id, sn) => agent.call('undeploy', id, sn),
          remove: (id) => agent.call('remove', id),
          authorize: (id, keys) => agent.call('authorize', id, keys),
          list: () => agent.list(),
          codeOf: async (name, target) => (await agent.failure(name, target)).code,
        },
        wanted(20, template),
      )
    })

    test('a started sliver lets its keys in over the management network, with the host key that was published', async () => {
      const sliver = await agent.run(wanted(1, template, { ssh_authorized_keys: [user.publicKey] }))
      expect(sliver).toMatchObject({ stage: 'started', ended: null })
      for (const { mac_addr } of sliver.interfaces) expect(mac_addr).toMatch(/^0a:c1:00:03:/u)
      expect(await user.run(sliver, 'id -u; hostname; cat /proc/self/status')).toMatch(
        /^0\nslice1-n3\n[^]*Seccomp:\t2/u,
      )
      expect(await user.run(sliver, 'mount -t tmpfs x /mnt')).toContain('exit')
      expect(await user.run(sliver, 'unshare -n true')).toMatch(/not permitted[^]*exit/u)
      expect(await user.run(sliver, 'unshare -r true')).toMatch(/not permitted[^]*exit/u)
      expect(await user.run(sliver, 'ping -c 1 -W 1 ::1')).toContain(' 0% packet loss')
      await agent.call('authorize', '1@3', [])
      expect(await user.run(sliver, 'id')).toContain('exit 1')
      await agent.call('remove', '1@3')
    })

    test('its public address is reached from the community, its management address from the server alone', async () => {
      const sliver = await agent.run(wanted(2, template, { ssh_authorized_keys: [user.publicKey] }))
      const ping = (address: string) => `ping -6 -n -c 1 -W 1 ${address} || echo silent`
      expect(await machine.shOn('host', ping(publicAddress(sliver)))).not.toContain('silent')
      expect(await machine.shOn('server', ping(managementAddress(sliver)))).not.toContain('silent')
      expect(await machine.shOn('host', ping(managementAddress(sliver)))).toContain('silent')
      expect(await user.run(sliver, `ping -c 1 -W 1 ${hostAddress}`)).toContain(' 0% packet loss')
      expect(await user.run(sliver, 'ping -c 1 -W 1 fd65:fc41:c50f:3::2')).toContain(
        '100% packet loss',
      )
      await agent.call('remove', '2@3')
    })

    test('what it sends from an address that is not its own goes nowhere', async () => {
      const sliver = await agent.run(wanted(3, template))
      const inSliver = `nsenter --net=/proc/${sliver.pid ?? 0}/ns/net --`
      const forged = 'fd77:0:0:3:1003::bad'
      await machine.sh(`${inSliver} ip addr add ${forged}/128 dev pub1 nodad`)
      await machine.sh(`ip -6 route add ${forged}/128 dev ${hostInterface(sliver.nr, 3)}`)
      const ping = (from: string) =>
        machine.sh(`${inSliver} ping -6 -n -c 1 -W 1 -I ${from} ${hostAddress} || echo silent`)
      const arrived = () =>
        machine.shOn('host', "grep Icmp6InEchos /proc/net/snmp6 | tr -dc '0-9\\n' | cut -c2-")
      expect(await ping(publicAddress(sliver))).not.toContain('silent')
      const before = await arrived()
      expect(await ping(forged)).toContain('silent')
      expect(await arrived()).toBe(before)
      await agent.call('remove', '3@3')
    })

    test('its limits hold', async () => {
      const resources = [
        { name: 'memory' as const, req: 64 },
        { name: 'processes' as const, req: 32 },
      ]
      const more = { resources, ssh_authorized_keys: [user.publicKey] }
      const sliver = await agent.run(wanted(4, template, more))
      const fork = 'i=0; while [ $i -lt 60 ]; do sleep 9 & i=$((i+1)); done; echo all'
      expect(await user.run(sliver, fork)).toMatch(/can.t fork/u)
      await agent.call('stop', '4@3')
      await agent.call('start', wanted(4, template, more))
      if (agent.capabilities.limits) {
        const again = await agent.sliver('4@3')
        const eat = 'head -c 200m /dev/zero | tail; echo status $?'
        expect(await user.run(again, eat)).toMatch(/Killed|status 137/u)
      }
      await agent.call('remove', '4@3')
    })

    // An ordinary user may mount no file system.
    if (isRoot)
      test('it can fill its disk, no more, and finds it as it was when it is started again', async () => {
        const resources = [{ name: 'disk' as const, req: 32 }]
        const target = wanted(10, template, { resources, ssh_authorized_keys: [user.publicKey] })
        const sliver = await agent.run(target)
        const fill = 'echo kept > /root/file; dd if=/dev/zero of=/var/fill bs=1M count=64; sync'
        expect(await user.run(sliver, fill)).toContain('No space left')
        for (let round = 0; round < 3; round++) {
          await agent.call('stop', '10@3')
          await agent.call('start', target)
        }
        const found = await user.run(
          await agent.sliver('10@3'),
          'cat /root/file; stat -c %s /var/fill',
        )
        const [kept, bytes] = found.split('\n')
        expect(kept).toBe('kept')
        expect(Number(bytes)).toBeGreaterThan(20 * 2 ** 20)
        expect(Number(bytes)).toBeLessThan(32 * 2 ** 20)
        await agent.call('remove', '10@3')
        // The kernel lets go of a file system after the last who sees it has ended.
        while ((await machine.sh('losetup --list --output BACK-FILE')).includes('10@3'))
          await delay(10)
      })

    test('an agent killed at any moment leaves slivers running, and the next one finds them and their samples', async () => {
      const more = { ssh_authorized_keys: [user.publicKey] }
      const before = await agent.run(wanted(5, template, more))
      await user.run(before, 'echo "first value=1" > /run/community-lab/measure')
      await agent.kill()
      expect(
        await user.run(before, 'echo "second value=2" > /run/community-lab/measure; echo on'),
      ).toContain('on')
      agent = await startAgent(machine, place, { runtime })
      const after = await agent.sliver('5@3')
      expect(after).toEqual(before)
      // Its catcher is found by the one who starts it again, as the agent's start does.
      await agent.call('stop', '5@3')
      await agent.call('start', wanted(5, template, more))
      const names = (await agent.samples(2)).map((sample) => sample.name)
      expect(names).toEqual(['first', 'second'])
      await agent.call('remove', '5@3')
    })

    test('a sliver that another agent has started keeps its protection, which is told until it is started again', async () => {
      const target = wanted(15, template)
      const told = [(await agent.run(target)).hasOtherProtection]
      await agent.kill()
      const record = join(agent.settings.dataDir, 'slivers', '15@3', 'sliver.json')
      await machine.sh(`sed -i 's/"sha256":"[0-9a-f]*"/"sha256":"0"/' ${record}`)
      agent = await startAgent(machine, place, { runtime })
      told.push((await agent.sliver('15@3')).hasOtherProtection)
      await agent.call('stop', '15@3')
      await agent.call('start', target)
      told.push((await agent.sliver('15@3')).hasOtherProtection)
      expect(told).toEqual([false, true, false])
      await agent.call('remove', '15@3')
    })

    test('a sliver that ends by itself is told of, and keeps its files when it is started again', async () => {
      const target = wanted(6, template, { ssh_authorized_keys: [user.publicKey] })
      const sliver = await agent.run(target)
      await user.run(sliver, 'echo kept > /root/file')
      await machine.sh(`kill -9 ${sliver.pid ?? 0}`)
      await agent.ended('6@3')
      const ended = await agent.sliver('6@3')
      expect(ended).toMatchObject({ stage: 'deployed', pid: null })
      expect(ended.ended?.message).toContain('ended by itself')
      await agent.call('start', target)
      expect(await user.run(await agent.sliver('6@3'), 'cat /root/file')).toBe('kept\n')
      await agent.call('remove', '6@3')
    })

    test('a program in a sliver that is stopped can write down what it has, and one that is not asked loses nothing', async () => {
      const target = wanted(11, template, { ssh_authorized_keys: [user.publicKey] })
      const sliver = await agent.run(target)
      const program =
        'echo "trap \\"echo asked > /root/end; exit\\" TERM; echo on > /root/begun; while :; do sleep 1; done" > /root/program'
      await user.run(sliver, program)
      await user.run(
        sliver,
        'sh /root/program >/dev/null 2>&1 & until test -s /root/begun; do sleep 0.01; done',
      )
      await agent.call('stop', '11@3')
      await agent.call('start', target)
      expect(await user.run(await agent.sliver('11@3'), 'cat /root/end')).toBe('asked\n')
      await agent.call('remove', '11@3')
    })

    test('a sliver whose record cannot be read is kept and told, and its processes are found and can be ended', async () => {
      const target = wanted(12, template, { ssh_authorized_keys: [user.publicKey] })
      const before = await agent.run(target)
      await user.run(before, 'echo kept > /root/file')
      await agent.kill()
      const record = join(agent.settings.dataDir, 'slivers', '12@3', 'sliver.json')
      await machine.sh(
        `cp ${record} ${machine.dir}/whole.json; sed -i 's/"stage"/"phase"/' ${record}`,
      )
      agent = await startAgent(machine, place, { runtime })
      expect(await agent.list()).toEqual([])
      expect(await agent.unreadable()).toMatchObject([{ id: '12@3', pid: before.pid }])
      const [problem] = await agent.problems()
      expect(problem?.message).toContain('/12@3/sliver.json.unreadable-')
      expect(await agent.failure('allocate', target)).toMatchObject({
        code: 'LAB_SLIVER_UNREADABLE',
      })
      // Its number, from which links and user ids follow, is nobody else's.
      await agent.call('allocate', wanted(13, template))
      expect((await agent.sliver('13@3')).nr).not.toBe(before.nr)
      await agent.call('remove', '13@3')
      await agent.call('stop', '12@3')
      expect(await agent.unreadable()).toMatchObject([{ id: '12@3', pid: null }])
      await agent.kill()
      await machine.sh(`cp ${machine.dir}/whole.json ${record}`)
      agent = await startAgent(machine, place, { runtime })
      await agent.call('start', target)
      expect(await user.run(await agent.sliver('12@3'), 'cat /root/file')).toBe('kept\n')
      await agent.call('remove', '12@3')
    })

    test('a container of which no folder tells any more is ended', async () => {
      const sliver = await agent.run(wanted(14, template))
      await agent.kill()
      await machine.sh(`rm -r ${agent.settings.dataDir}/slivers/14@3`)
      agent = await startAgent(machine, place, { runtime })
      expect(await machine.sh(`test -e /proc/${sliver.pid ?? 0}/exe || echo gone`)).toBe('gone\n')
      expect([await agent.list(), await agent.unreadable()]).toEqual([[], []])
    })

    test('a template that was corrupted is refused at its checksum, and nothing is promised to the sliver', async () => {
      const bad = await corrupt({ ...template, sha256: 'f'.repeat(64) }, machine.dir)
      const target = wanted(7, bad)
      expect(await agent.failure('allocate', target)).toMatchObject({
        code: 'LAB_TEMPLATE_CHECKSUM',
        member: '/template/image_sha256',
      })
      expect(await agent.list()).toEqual([])
    })

    test('more memory than the node offers is refused before anything is made', async () => {
      const target = wanted(8, template, { resources: [{ name: 'memory', req: 5000 }] })
      expect(await agent.failure('allocate', target)).toMatchObject({
        code: 'LAB_SLIVER_NO_ROOM',
        member: '/resources',
      })
      expect(await agent.list()).toEqual([])
    })

    test('a reset removes what the sliver wrote, and it is deployed again with its limits, number and addresses', async () => {
      const keys = { ssh_authorized_keys: [user.publicKey] }
      const target = wanted(12, template, { ...keys, resources: [{ name: 'processes', req: 77 }] })
      const before = await agent.run(target)
      expect(await user.run(before, 'touch /root/file')).toBe('')
      await agent.call('undeploy', '12@3', 1)
      const folder = `${agent.settings.dataDir}/slivers/12@3`
      expect(await machine.sh(`cd ${folder}; ls -d keys host-key upper disk.img || true`)).toBe('')
      // What was edited meanwhile does not count: here a request that the node has no room for.
      const edited = { ...target, resources: [{ name: 'processes' as const, req: 3500 }] }
      await agent.call('deploy', edited)
      await agent.call('start', edited)
      const after = await agent.sliver('12@3')
      const { nr, interfaces, configuration } = before
      expect(after).toMatchObject({ nr, interfaces, configuration, sliceInstanceSn: 1 })
      expect(after.sshHostKey).not.toBe(before.sshHostKey)
      expect(await user.run(after, 'ls /root/file 2>&1')).toContain('No such file')
      if (isRoot)
        expect(
          await machine.sh(`cat ${after.cgroups['pids'] ?? after.cgroups['unified']}/pids.max`),
        ).toBe('77\n')
      await agent.call('remove', '12@3')
    })

    test('a sliver begins with its data, also after a reset, and bad data costs its own sliver alone', async () => {
      const data = await makeData(machine, 'good', {
        script: `mkdir -p srv/empty root; echo mine > root/seed; ln -s ../root/seed srv/link
          printf '#!/bin/sh\necho runs as $(id -u)\n' > srv/run; chmod 750 srv/run`,
      })
      const target = wanted(22, template, { data, ssh_authorized_keys: [user.publicKey] })
      const look = 'cat /srv/link; /srv/run; ls -ld /srv/empty | cut -c 1-10'
      const found = 'mine\nruns as 0\ndrwxr-xr-x\n'
      const sliver = await agent.run(target)
      expect(await user.run(sliver, look)).toContain(found)
      // The server may not have it any more.
      await machine.sh(`rm ${data.uri}`)
      await agent.call('undeploy', '22@3', 1)
      expect(await user.run(await agent.run(target), look)).toContain(found)
      const bomb = await makeData(machine, 'bomb', { script: 'head -c 200M /dev/zero > zeros' })
      const escape = await makeData(machine, 'escape', {
        script: 'echo x > a',
        options: `-P --transform 's,^\\./a,../../../a,'`,
      })
      for (const [bad, expected] of [
        [bomb, { code: 'LAB_DATA_TOO_LARGE', member: '/resources' }],
        [escape, { code: 'LAB_DATA_INVALID', member: '/data_sha256' }],
      ] as const) {
        await agent.call('allocate', wanted(23, template, { data: bad }))
        const failure = await agent.failure('deploy', wanted(23, template, { data: bad }))
        expect(failure).toMatchObject(expected)
        await agent.call('remove', '23@3')
      }
      expect(await user.run(await agent.sliver('22@3'), look)).toContain(found)
      await agent.call('remove', '22@3')
      const kept = join(agent.settings.dataDir, 'data-archives')
      expect(await machine.sh(`ls ${kept}`)).toBe('')
    })

    test('a sliver that is removed leaves no process, mount, link, cgroup or file', async () => {
      const processes = "ps -eo stat,args | grep -v '^Z' | grep -v 'ps -eo'"
      const found = () =>
        machine.sh(
          `cat /proc/self/mounts; ip -o link | cut -d: -f2 | cut -d@ -f1; nft list ruleset; ls ${agent.settings.dataDir}/slivers ${agent.settings.dataDir}/measure ${agent.settings.dataDir}/catchers; find /sys/fs/cgroup/*/${agent.settings.cgroupParent} -type d || true; ls ${agent.settings.dataDir}/runtime/*; ${processes} | grep -cE '[d]ropbear|[c]atcher' || true`,
        )
      const before = await found()
      await agent.run(wanted(9, template))
      await agent.call('remove', '9@3')
      expect(await found()).toBe(before)
      expect(existsSync(join(agent.settings.dataDir, 'templates', template.sha256))).toBe(true)
    })
  })
}

async function removeCgroups(parent: string): Promise<void> {
  for (const hierarchy of await readdir('/sys/fs/cgroup'))
    await rmdir(join('/sys/fs/cgroup', hierarchy, parent)).catch(() => {
      // It was not made in this hierarchy.
    })
}
