import { describe, expect, it } from 'vitest'
import { heldSlivers, readWanted, type NodeWanted } from '../../../../agent/src/plan/wanted.ts'
import { aSliverTarget, aTarget } from './situation.ts'

const read = (document: unknown): NodeWanted => {
  const wanted = readWanted(document)
  if (typeof wanted === 'string') throw new Error(wanted)
  return wanted
}
const document = (slivers: readonly object[], more: object = {}) => ({
  ...aTarget(),
  slivers,
  ...more,
})

describe('a target from the future', () => {
  it('is read without the members that this agent does not know', () => {
    const future = document([{ ...aSliverTarget(), mood: 'good' }], { weather: { today: 'rain' } })
    expect(read(future).slivers).toMatchObject([aSliverTarget()])
    expect(read(future).notices).toEqual([])
  })

  it('is followed without the kinds that this agent does not know, and each is told', () => {
    const known = { nr: 1, name: 'mgmt', type: 'management' as const }
    const { slivers, notices } = read(
      document([
        {
          ...aSliverTarget(),
          template: { ...aSliverTarget().template, node_archs: ['x86_64', 'loong64'] },
          interfaces: [known, { nr: 4, name: 'iso', type: 'isolated', vlan: 7 }],
          resources: [
            { name: 'memory', req: 64, burst: 128 },
            { name: 'gpu', req: 1 },
          ],
        },
      ]),
    )
    expect(slivers).toMatchObject([
      {
        interfaces: [known],
        resources: [{ name: 'memory', req: 64 }],
        template: { node_archs: ['x86_64'] },
      },
    ])
    expect(notices.map(({ effect, error }) => [effect, error.member])).toEqual([
      ['ignored', '/resources/1'],
      ['ignored', '/interfaces/1'],
    ])
    expect(notices[1]?.error.message).toContain('this agent knows no interface of type "isolated"')
  })

  it.each([
    ['a value that this agent does not know', { set_state: 'hibernate' }],
    ['a member of another type', { instance_sn: 'two' }],
    ['a list that is none', { interfaces: 'all' }],
    ['a member that lacks', { ssh_authorized_keys: undefined }],
  ])('holds the one sliver that has %s', (_, change) => {
    const wanted = read(document([{ ...aSliverTarget(), ...change }, aSliverTarget({ id: '2@1' })]))
    expect(wanted.slivers.map(({ id }) => id)).toEqual(['2@1'])
    expect([...heldSlivers(wanted)]).toEqual(['1@1'])
    expect(wanted.notices[0]?.error.message).toContain('leaves it as it is')
  })

  it('changes nothing when the state of the node is unknown', () => {
    const future = { ...aTarget(), node: { ...aTarget().node, set_state: 'hibernate' } }
    expect(readWanted(future)).toContain('/node/set_state')
    expect(readWanted('nothing')).toContain('object')
  })
})

describe('strings from the server are data', () => {
  it.each(['../../etc', '1@1/..', '01@1', '1@1\0', '', 7])('takes no %j for a sliver', (id) => {
    const wanted = read(document([{ ...aSliverTarget(), id }]))
    expect([wanted.slivers, wanted.notices]).toEqual([[], []])
  })

  it('writes no key of two lines', () => {
    const keys = ['ssh-ed25519 AAAA good', 'ssh-ed25519 AAAA one\nssh-ed25519 BBBB two']
    const { slivers, notices } = read(document([aSliverTarget({ ssh_authorized_keys: keys })]))
    expect(slivers[0]?.ssh_authorized_keys).toEqual(['ssh-ed25519 AAAA good'])
    expect(notices.map(({ error }) => error.member)).toEqual(['/ssh_authorized_keys/1'])
  })
})
