import { expect, it } from 'vitest'
import {
  bandwidthRules,
  findShapedOtherwise,
  shapingLines,
  shareBandwidth,
} from '../../../../../agent/src/sliver/domain/bandwidth.ts'

it('promises no more than is lent: half in equal parts, half in common', () => {
  for (const interfaces of [1, 2, 7, 60, 250]) {
    const { ownBps, commonBps } = shareBandwidth(10, interfaces)
    expect(ownBps * interfaces + commonBps).toBeLessThanOrEqual(10e6 / 8)
  }
  expect(shareBandwidth(10, 2)).toEqual({ ownBps: 312_500, commonBps: 625_000 })
})

it('leaves every interface enough for SSH where there is as much', () => {
  expect(shareBandwidth(10, 60)).toEqual({ ownBps: 16_000, commonBps: 290_000 })
  expect(shareBandwidth(1, 250)).toEqual({ ownBps: 450, commonBps: 12_500 })
})

it('gives each interface a limit of its own in each direction, and drops what is more', () => {
  const { parts, verdict } = bandwidthRules(10, ['slv-01-01', 'slv-01-03'])
  expect(verdict).toBe('jump share_from')
  expect(parts).toContain('limit from_slv_01_03 { rate 312500 bytes/second burst 31250 bytes; }')
  expect(parts).toContain('limit to_all { rate 625000 bytes/second burst 62500 bytes; }')
  expect(parts.match(/^ {4}drop$/gmu)).toHaveLength(2)
})

it('limits nothing where the owner lends as much as there is', () => {
  expect(bandwidthRules(null, ['slv-01-01'])).toEqual({ parts: '', verdict: 'accept' })
})

it('lets no end of a link send faster than all slivers together may', () => {
  expect(shapingLines(['slv-01-03', 'slv-02-03'], 12.5)).toEqual([
    'qdisc replace dev slv-01-03 root tbf rate 12500000bit burst 31250 latency 100ms',
    'qdisc replace dev slv-02-03 root tbf rate 12500000bit burst 31250 latency 100ms',
  ])
  expect(shapingLines(['pub1'], 1)[0]).toContain('burst 15000 ')
})

it('finds the links that are as an agent with another setting has made them', () => {
  const shown = JSON.stringify([
    { kind: 'noqueue', dev: 'lo', root: true, options: {} },
    { kind: 'tbf', dev: 'slv-01-03', root: true, options: { rate: 1_562_500, burst: 31_250 } },
    { kind: 'noqueue', dev: 'slv-02-03', root: true, options: {} },
    { kind: 'fq_codel', dev: 'eth0', parent: ':1', options: { limit: 10_240 } },
  ])
  const links = ['slv-01-03', 'slv-02-03']
  expect(findShapedOtherwise(shown, links, 12.5)).toEqual(['slv-02-03'])
  expect(findShapedOtherwise(shown, links, 20)).toEqual(links)
  expect(findShapedOtherwise(shown, links, null)).toEqual(['slv-01-03'])
  expect(shapingLines(['slv-01-03'], null)).toEqual(['qdisc replace dev slv-01-03 root noqueue'])
})
