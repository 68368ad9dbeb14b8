import { expect, test } from 'vitest'
import { parseShape } from '../../../../server/vct/src/network/read-back.ts'

// As `tc -j qdisc show` prints them (iproute2 6.1); the netem line is of a kernel that has it.
const tbf = `[{"kind":"noqueue","handle":"0:","dev":"lo","root":true,"refcnt":2,"options":{}},
{"kind":"tbf","handle":"8001:","dev":"w2","root":true,"refcnt":2,"options":{"rate":2500000,"burst":16384,"lat":100000}}]`
const netem = `[{"kind":"netem","handle":"8002:","dev":"w2","root":true,"refcnt":2,"options":{"limit":1000,"delay":{"delay":0.005,"jitter":0,"correlation":0},"rate":{"rate":2500000,"packetoverhead":0,"cellsize":0,"celloverhead":0},"ecn":false,"gap":0}}]`

test('the rate of a token bucket is read in Mbit/s', () => {
  expect(parseShape(tbf, 'w2', 'relay')).toEqual({ rateMbps: 20 })
})

test('rate and delay of netem are read', () => {
  expect(parseShape(netem, 'w2', 'netem')).toEqual({ rateMbps: 20, delayMs: 5 })
})

test('an interface without the qdisc that was asked for has no shape', () => {
  expect(parseShape(tbf, 'w2', 'netem')).toBeNull()
  expect(parseShape(tbf, 'w3', 'relay')).toBeNull()
  expect(parseShape(tbf, 'lo', 'relay')).toBeNull()
})

test('what is not the list of tc has no shape', () => {
  expect(parseShape('{}', 'w2', 'relay')).toBeNull()
})
