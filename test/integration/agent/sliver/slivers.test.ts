import process from 'node:process'
import { describe } from 'vitest'
import { ordinaryPlace, ownPlace } from '../../../support/place.ts'
import { describeSlivers } from './contract.ts'

const place = () => Promise.resolve(ownPlace())

describe.runIf(process.getuid?.() === 0)('as root', () => {
  describeSlivers('slivers by crun', { runtime: 'crun', isRoot: true, place })
  describeSlivers('slivers by runc', { runtime: 'runc', isRoot: true, place })
})

describe('as an ordinary user', () => {
  describeSlivers('slivers by crun', { runtime: 'crun', isRoot: false, place: ordinaryPlace })
  describeSlivers('slivers by runc', { runtime: 'runc', isRoot: false, place: ordinaryPlace })
})
