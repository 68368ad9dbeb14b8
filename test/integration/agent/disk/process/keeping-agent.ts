/** The part of an agent that keeps documents: it changes one sliver, makes and removes another, and notes what is wanted. It is killed on its way. */
import { join } from 'node:path'
import { openLoopStore } from '../../../../../agent/src/loop/store.ts'
import { createNodeProblems } from '../../../../../agent/src/report/problems.ts'
import { openRecords } from '../../../../../agent/src/sliver/store/records.ts'
import { aTarget } from '../../../../unit/agent/plan/situation.ts'
import { aSliverRecord } from '../../../../unit/agent/sliver/record.ts'

const [dir = '', serial = ''] = process.argv.slice(2)
const record = aSliverRecord({ stage: 'deployed', sliceInstanceSn: 0, instanceSn: Number(serial) })
const records = await openRecords(join(dir, 'slivers'))
await records.save(record)
await records.save({ ...record, id: '2@1', nr: 2 })
await records.remove('2@1')
const store = await openLoopStore(dir, createNodeProblems())
const wanted = aTarget([], { boot_sn: Number(serial) })
const testbed = { mgmt_ipv6_prefix: 'fd65::/48', sliver_mac_prefix: 1707 }
await store.saveTarget({ etag: `"${serial}"`, document: { ...wanted, testbed }, wanted })
await store.saveBoot({ bootSn: Number(serial), lives: {} })
