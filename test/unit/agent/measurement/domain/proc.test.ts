import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  cpuUtilization,
  parseLoadavg,
  parseMeminfo,
  parseNetDev,
  parsePidStat,
  parsePidStatus,
  parseStat,
  parseUptime,
  type CpuTimes,
} from '../../../../../agent/src/measurement/domain/proc.ts'

function captured(name: string): string {
  return readFileSync(new URL(`../../../../fixtures/proc/node/${name}`, import.meta.url), 'utf8')
}

describe('a captured /proc', () => {
  it('tells the seconds of all processors by mode', () => {
    expect(parseStat(captured('stat'))).toEqual({
      seconds: {
        user: 600.51,
        nice: 0.12,
        system: 179.3,
        idle: 29_810.21,
        iowait: 21.18,
        irq: 0.07,
        softirq: 2.49,
        steal: 0.83,
      },
      cpus: 2,
    })
  })

  it('tells memory in bytes', () => {
    expect(parseMeminfo(captured('meminfo'))).toEqual({
      totalBytes: 8_149_656 * 1024,
      availableBytes: 6_004_321 * 1024,
    })
  })

  it('tells load and uptime', () => {
    expect(parseLoadavg(captured('loadavg'))).toEqual([0.52, 1.25, 2.03])
    expect(parseUptime(captured('uptime'))).toBe(15_304.87)
  })

  it('tells what each interface has carried, also one whose counter touches its name', () => {
    expect(parseNetDev(captured('self/net/dev'))).toEqual([
      {
        interface: 'lo',
        receive: { bytes: 25_432_553, packets: 6338, errors: 0, drops: 0 },
        transmit: { bytes: 25_432_553, packets: 6338, errors: 0, drops: 0 },
      },
      {
        interface: 'eth0.12',
        receive: { bytes: 98_765_432_109, packets: 654_321, errors: 3, drops: 4 },
        transmit: { bytes: 12_345_678_901, packets: 123_456, errors: 1, drops: 2 },
      },
      // A sliver's link; the collector of the node's interfaces leaves it out, not the reader.
      {
        interface: 'slv-0a-01',
        receive: { bytes: 1000, packets: 10, errors: 0, drops: 0 },
        transmit: { bytes: 2000, packets: 20, errors: 0, drops: 0 },
      },
    ])
  })

  it('tells what a process has used, whatever its name', () => {
    expect(parsePidStat(captured('100/stat'))).toBe(7.3)
    expect(parsePidStatus(captured('100/status'))).toBe(512 * 1024)
  })
})

describe('what is not there', () => {
  it('is null, and never a made-up number', () => {
    expect(parseStat('intr 1\n')).toBeNull()
    expect(parseMeminfo('MemTotal: 8 kB\n')).toBeNull()
    expect(parseLoadavg('')).toBeNull()
    expect(parseUptime('')).toBeNull()
    expect(parseNetDev('')).toEqual([])
    expect(parsePidStat('')).toBeNull()
  })
})

describe('utilization', () => {
  const timesOf = (user: number, idle: number, iowait: number): CpuTimes => ({
    seconds: { user, nice: 0, system: 0, idle, iowait, irq: 0, softirq: 0, steal: 0 },
    cpus: 1,
  })

  it('is the share of time that was neither idle nor waiting for a disk', () => {
    expect(cpuUtilization(timesOf(10, 10, 0), timesOf(11, 12, 1))).toBe(0.25)
  })

  it('is unknown when no time has passed', () => {
    expect(cpuUtilization(timesOf(1, 1, 0), timesOf(1, 1, 0))).toBeNull()
  })
})
