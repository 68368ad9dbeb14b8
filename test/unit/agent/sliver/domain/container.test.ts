import { expect, it } from 'vitest'
import { containerConfiguration } from '../../../../../agent/src/sliver/domain/container.ts'
import { mapIds } from '../../../../../agent/src/sliver/domain/ids.ts'

const plan = {
  rootPath: '/mnt/root',
  hostname: 'hello-n1',
  args: ['/usr/sbin/dropbear'],
  ids: mapIds({ base: 1_000, count: 500 }, 1),
  bound: [{ source: '/mnt/measure', destination: '/run/community-lab' }],
  cgroupsPath: null,
  coreLimit: 1 as const,
  arch: 'x64',
  seccompProgram: null,
}

it('gives a container namespaces of all kinds, ids of its own and few capabilities', () => {
  const configuration = containerConfiguration(plan)
  expect(configuration).toMatchObject({
    process: { noNewPrivileges: true },
    linux: {
      uidMappings: [
        { containerID: 0, hostID: 1_500, size: 499 },
        { containerID: 65_534, hostID: 1_999, size: 1 },
      ],
      namespaces: ['pid', 'mount', 'network', 'uts', 'ipc', 'user'].map((type) => ({ type })),
    },
  })
  const text = JSON.stringify(configuration)
  for (const refused of ['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_MKNOD', 'CAP_SYS_PTRACE'])
    expect(text).not.toContain(refused)
})

it('binds what it is given read-only, after the folders that hold it', () => {
  const { mounts } = containerConfiguration(plan) as {
    mounts: { destination: string; options: string[] }[]
  }
  const destinations = mounts.map((mount) => mount.destination)
  expect(destinations.indexOf('/run/community-lab')).toBeGreaterThan(destinations.indexOf('/run'))
  expect(mounts.at(-1)?.options).toEqual(expect.arrayContaining(['bind', 'ro', 'nosuid', 'nodev']))
})

it('tells a runtime of cgroups only where it makes some', () => {
  expect(JSON.stringify(containerConfiguration(plan))).not.toContain('cgroupsPath')
  expect(containerConfiguration({ ...plan, cgroupsPath: '/a/sliver-1' })).toMatchObject({
    linux: { cgroupsPath: '/a/sliver-1' },
  })
})

it('hands a seccomp program that was compiled before to the runtime, with the profile that it comes from', () => {
  expect(JSON.stringify(containerConfiguration(plan))).not.toContain('annotations')
  const configuration = containerConfiguration({ ...plan, seccompProgram: 'BgAAAAAA/38=' })
  expect(configuration).toMatchObject({
    annotations: { 'run.oci.seccomp_bpf_data': 'BgAAAAAA/38=' },
    linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } },
  })
})
