import {
  resourceDefaults,
  resourceNames,
  type ResourceName,
  type SliverTarget,
} from '@community-lab/contract'

/** The limits of a sliver: MiB, MiB, percent of one core, processes. */
export type Limits = Readonly<Record<ResourceName, number>>

/** Return the limits of a sliver from its requests. A resource without a request has its default. */
export function limitsOf(resources: SliverTarget['resources']): Limits {
  const asked = Object.fromEntries(resources.map(({ name, req }) => [name, req]))
  return { ...resourceDefaults, ...asked }
}

/** Find the limits of a sliver in the text of a record that is not readable as a whole. A resource that is not found has its default. */
export function limitsInText(text: string): Limits {
  const [, members = ''] = /"limits"\s*:\s*\{([^}]*)\}/u.exec(text) ?? []
  const found = resourceNames.flatMap((name) => {
    const amount = Number(new RegExp(`"${name}"\\s*:\\s*(\\d{1,9})\\b`, 'u').exec(members)?.[1])
    return Number.isNaN(amount) ? [] : [[name, amount] as const]
  })
  return { ...resourceDefaults, ...Object.fromEntries(found) }
}

/** A value to write to a file of a cgroup. */
export interface CgroupSetting {
  readonly controller: 'memory' | 'pids' | 'cpu'
  readonly file: string
  readonly value: string
  /** Whether a kernel may lack the file. The limit is enforced without it. */
  readonly isOptional: boolean
}

const periodUs = 100_000
const mebibyte = 2 ** 20

/**
 * Return the cgroup settings of limits. There is no swap: a sliver at its memory limit must fail and not wear out the node's disk. In cgroups of version 2, the
 * memory includes that of TCP and UDP sockets. Version 1 counts socket memory separately, also that of UDP in spite of the name, and only if it has a limit,
 * which is half of the memory in addition.
 *
 * All slivers have the same weight, the kernel's default, so that busy ones get equal parts of the CPU, whatever their limits.
 *
 * Source: Linux, cgroup-v1/memory.txt, mm/memcontrol.c (mem_cgroup_sk_alloc), sched-bwc.txt, pids.txt; cgroup-v2.rst.
 */
export function cgroupSettings(limits: Limits, version: 1 | 2): readonly CgroupSetting[] {
  const memory = String(limits.memory * mebibyte)
  const quota = String(Math.max(1_000, Math.round((limits.cpu * periodUs) / 100)))
  const pids = String(limits.processes)
  if (version === 2)
    return [
      { controller: 'memory', file: 'memory.max', value: memory, isOptional: false },
      { controller: 'memory', file: 'memory.swap.max', value: '0', isOptional: true },
      { controller: 'pids', file: 'pids.max', value: pids, isOptional: false },
      { controller: 'cpu', file: 'cpu.max', value: `${quota} ${periodUs}`, isOptional: false },
      { controller: 'cpu', file: 'cpu.weight', value: '100', isOptional: false },
    ]
  return [
    { controller: 'memory', file: 'memory.limit_in_bytes', value: memory, isOptional: false },
    { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: memory, isOptional: true },
    {
      controller: 'memory',
      file: 'memory.kmem.tcp.limit_in_bytes',
      value: String((limits.memory * mebibyte) / 2),
      isOptional: true,
    },
    { controller: 'pids', file: 'pids.max', value: pids, isOptional: false },
    { controller: 'cpu', file: 'cpu.cfs_period_us', value: String(periodUs), isOptional: false },
    { controller: 'cpu', file: 'cpu.cfs_quota_us', value: quota, isOptional: false },
    { controller: 'cpu', file: 'cpu.shares', value: '1024', isOptional: false },
  ]
}
