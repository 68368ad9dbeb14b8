import { expect, it } from 'vitest'
import { cgroupSettings, limitsOf } from '../../../../../agent/src/sliver/domain/limits.ts'

const limits = { memory: 64, disk: 128, cpu: 50, processes: 32 }
const written = (version: 1 | 2) =>
  cgroupSettings(limits, version).map(({ file, value }) => `${file}=${value}`)

it('takes what is asked for, and the default of what is not', () => {
  expect(limitsOf([{ name: 'memory', req: 256 }])).toEqual({
    memory: 256,
    disk: 128,
    cpu: 100,
    processes: 128,
  })
})

it('writes limits for both versions of cgroups', () => {
  expect(written(1)).toEqual([
    'memory.limit_in_bytes=67108864',
    'memory.memsw.limit_in_bytes=67108864',
    'memory.kmem.tcp.limit_in_bytes=33554432',
    'pids.max=32',
    'cpu.cfs_period_us=100000',
    'cpu.cfs_quota_us=50000',
    'cpu.shares=1024',
  ])
  expect(written(2)).toEqual([
    'memory.max=67108864',
    'memory.swap.max=0',
    'pids.max=32',
    'cpu.max=50000 100000',
    'cpu.weight=100',
  ])
})

it('never asks for less CPU time than the kernel accepts', () => {
  expect(
    cgroupSettings({ ...limits, cpu: 0.1 }, 2).find(({ file }) => file === 'cpu.max')?.value,
  ).toBe('1000 100000')
})
