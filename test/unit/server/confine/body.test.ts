import {
  GroupPatch,
  HostPatch,
  NodePatch,
  SliceCreate,
  SliverCreate,
} from '@community-lab/contract'
import { describe, expect, it } from 'vitest'
import { prepareBody } from '../../../../server/src/confine/body.ts'

describe('bodies of CONFINE’s clients', () => {
  it('lose the members that cannot be changed, at any depth', () => {
    const slice = {
      uri: 'http://lab.example/api/slices/1/',
      name: 'delay',
      group: { uri: 'http://lab.example/api/groups/2/', id: 9 },
      sliver_defaults: { instance_sn: 4, template: null, data_uri: '', overlay_uri: '' },
    }
    expect(prepareBody(SliceCreate)(slice)).toEqual({
      name: 'delay',
      group: { id: 2 },
      sliver_defaults: { template: null, data_uri: '' },
    })
  })

  it('refer to objects by the path of a URI', () => {
    const read = prepareBody(SliverCreate)
    const body = { slice: { uri: '/api/slices/01/' }, node: { uri: 'https://other/x/nodes/7' } }
    expect(read(body)).toEqual({ slice: { id: 1 }, node: { id: 7 } })
    const roles = { user_roles: [{ user: { uri: '/api/users/3/' }, is_node_admin: true }] }
    expect(prepareBody(GroupPatch)(roles)).toEqual({
      user_roles: [{ user: { id: 3 }, is_node_admin: true }],
    })
    // A host's owner is a user.
    expect(prepareBody(HostPatch)({ owner: { uri: '/api/users/3/' } })).toEqual({
      owner: { id: 3 },
    })
  })

  it.each([
    ['/api/groups/2/', '/group', '/api/groups/2/ is not an object'],
    [{ uri: '/api/nodes/2/' }, '/group', 'Invalid hyperlink - Incorrect URL match'],
    [{ uri: 'group two' }, '/group', 'Invalid hyperlink - No URL match'],
  ])('with a wrong reference %j are refused at it', (group, pointer, message) => {
    expect(() => prepareBody(SliceCreate)({ name: 'delay', group })).toThrow(
      expect.objectContaining({ details: { issues: [{ pointer, message }] } }),
    )
  })

  it('may be empty, and have no properties in three ways', () => {
    const read = prepareBody(NodePatch)
    expect(read(undefined)).toEqual({})
    for (const properties of [[], '', null])
      expect(read({ properties })).toEqual({ properties: {} })
    expect(read({ properties: { a1: 'x' } })).toEqual({ properties: { a1: 'x' } })
  })

  it('that are no objects are left to the check of the schema', () => {
    expect(prepareBody(NodePatch)(null)).toBeNull()
    expect(prepareBody(NodePatch)([1])).toEqual([1])
  })
})
