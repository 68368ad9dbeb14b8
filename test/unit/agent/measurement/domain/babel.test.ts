import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseBabelDump } from '../../../../../agent/src/measurement/domain/babel.ts'

const dump = readFileSync(new URL('../../../../fixtures/babel/dump.txt', import.meta.url), 'utf8')
const router = '64:9d:d8:f9:04:ef:ec'

it('reads what babeld 1.12 says of its interfaces, neighbours and routes', () => {
  expect(parseBabelDump(dump)).toEqual({
    addresses: new Map([['w2', 'fe80::1']]),
    neighbours: [
      {
        interface: 'w2',
        address: 'fe80::b8c7:24ff:feab:20a1',
        reach: 0xfff0,
        rxCost: 96,
        txCost: 96,
        cost: 96,
        rttS: 0.000223,
      },
      {
        interface: 'w2',
        address: 'fe80::2',
        reach: 0x003f,
        rxCost: 65_535,
        txCost: 96,
        cost: 65_535,
        rttS: null,
      },
    ],
    routes: [
      { destination: 'fd00::1/128', source: null, metric: 0, via: null },
      {
        destination: 'fd00::2/128',
        source: null,
        metric: 96,
        via: {
          interface: 'w2',
          nextHop: 'fe80::b8c7:24ff:feab:20a1',
          router: `${router}:af`,
          refMetric: 0,
        },
      },
      {
        destination: 'fd00::3/128',
        source: 'fd00:1::/64',
        metric: 192,
        via: { interface: 'w2', nextHop: 'fe80::2', router: `${router}:b0`, refMetric: 96 },
      },
    ],
  })
})

it('ignores lines that it does not understand', () => {
  const nonsense = [
    'add neighbour 1',
    'add neighbour 1 address fe80::2 if w2 reach zzzz rxcost 96 txcost 96 cost 96',
    'add route 1 prefix fd00::2/128 installed yes metric -1',
    'add wormhole 1 prefix fd00::2/128 metric 1',
    'flush route 1',
    'add',
    '',
  ].join('\n')
  expect(parseBabelDump(nonsense)).toEqual({ addresses: new Map(), neighbours: [], routes: [] })
})
