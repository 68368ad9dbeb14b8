import type { SliverRecord } from '../../../../agent/src/sliver/store/record.ts'

/** The record of a sliver that has started, with changes. */
export const aSliverRecord = (changes: Partial<SliverRecord> = {}): SliverRecord => ({
  id: '1@1',
  nr: 1,
  stage: 'started',
  sliceInstanceSn: 1,
  instanceSn: 1,
  limits: { memory: 64, disk: 64, cpu: 10, processes: 50 },
  templateSha256: null,
  sshAuthorizedKeys: [],
  interfaces: [],
  sshHostKey: null,
  startedOn: null,
  process: null,
  ended: null,
  ...changes,
})
