import { expect, it } from 'vitest'
import { findRefusal, type Asker, type Membership } from '../../../../server/src/domain/asker.ts'
import { rights, type RightName } from '../../../../server/src/domain/rights.ts'

const owner = { groupId: 1, userId: 7, nodeId: 5 }

function person(changes: Partial<Membership> | null, userId = 8): Asker {
  const none = { groupId: 1, isGroupAdmin: false, isNodeAdmin: false, isSliceAdmin: false }
  const memberships = changes === null ? [] : [{ ...none, ...changes }]
  return { role: 'researcher', scope: 'all', userId, memberships, nodeId: null }
}
const node = (nodeId: number): Asker => ({
  ...person(null),
  role: 'node',
  userId: null,
  nodeId,
})

/** A letter for each asker; it stands in a row where the asker may. */
const askers: Readonly<Record<string, Asker>> = {
  // Anonymous.
  a: { ...person(null), role: 'anonymous', scope: 'read', userId: null },
  // A person of no group; an admin of another group.
  p: person(null),
  x: person({ groupId: 2, isGroupAdmin: true }),
  // The user whom it belongs to.
  u: person(null, 7),
  // Of its group: a member, a slice admin, a node admin, a group admin.
  m: person({}),
  s: person({ isSliceAdmin: true }),
  n: person({ isNodeAdmin: true }),
  g: person({ isGroupAdmin: true }),
  // An operator.
  o: { ...person(null), role: 'operator' },
  // The node itself, another node.
  i: node(5),
  j: node(6),
}

// Source: CONFINE, roles and what they may change (its controller's permissions), written out for each right by hand.
const table: Readonly<Record<RightName, string>> = {
  'read the testbed': 'apxumsngoij',
  'read the server’s metrics': 'o',
  'read samples': 'apxumsngoij',
  'read a slice’s samples': 'msngo',
  'enrol a node': 'apxumsngoij',
  'ask who it is': 'pxumsngoij',
  'log in': 'apxumsngoij',
  'log out': 'apxumsngoij',
  'read users': 'pxumsngo',
  'read SSH keys': 'uo',
  'make a user': 'o',
  'change a user': 'uo',
  'change a password': 'uo',
  'invite a user': 'o',
  'name a user': 'o',
  'disable a user': 'o',
  'make an operator': 'o',
  'remove a user': 'o',
  'change its SSH keys': 'pxumsngo',
  'take away another’s SSH key': 'o',
  'list tokens': 'pxumsngo',
  'list the tokens of others': 'o',
  'make a token': 'pxumsngo',
  'make a token for another': 'o',
  'make an operator’s token': 'o',
  'revoke a token': 'uo',
  'make a group': 'pxumsngo',
  'change a group': 'go',
  'allow a group nodes': 'o',
  'allow a group slices': 'o',
  'set a group’s quotas': 'o',
  'add a member who has not asked': 'o',
  'accept an agreement': 'go',
  'leave a group': 'msng',
  'remove a group': 'go',
  'publish an agreement': 'o',
  'list requests': 'pxumsngo',
  'read all requests': 'o',
  'read a request': 'ugo',
  'ask for something': 'pxumsngo',
  'ask for nodes or slices': 'go',
  'decide a request': 'go',
  'withdraw a request': 'ugo',
  'register a server': 'o',
  'change a server': 'o',
  'remove a server': 'o',
  'make an island': 'o',
  'change an island': 'o',
  'remove an island': 'o',
  'register a host': 'pxumsngo',
  'change a host': 'uo',
  'give a host to another': 'o',
  'remove a host': 'uo',
  'register a node': 'ngo',
  'change a node': 'ngo',
  'reboot a node': 'ngo',
  'revoke a node': 'ngo',
  'remove a node': 'ngo',
  'make an enrolment token': 'ngo',
  'read a node’s target': 'i',
  'report a node’s state': 'i',
  'open a node’s stream': 'i',
  'make a slice': 'sgo',
  'change a slice': 'sgo',
  'renew a slice': 'sgo',
  'reset a slice': 'sgo',
  'remove a slice': 'sgo',
  'list runs': 'pxumsngo',
  'list a slice’s runs': 'msngo',
  'read a run': 'msngo',
  'start a run': 'sgo',
  'cancel a run': 'sgo',
  'add a sliver': 'sgo',
  'change a sliver': 'sgo',
  'update a sliver': 'sgo',
  'remove a sliver': 'sgo',
  'open a sliver’s SSH port': 'sgo',
  unsubscribe: 'apxumsngoij',
  'read whether mail is sent': 'o',
  'send a test mail': 'o',
  'read the audit trail': 'o',
  'make a template': 'sgo',
  'change a template': 'sgo',
  'upload a template’s image': 'sgo',
  'read uploads to a template': 'sgo',
  'remove a template': 'sgo',
  'make a template public': 'o',
  'read a template’s image': 'msngoi',
  'upload data': 'sgo',
  'read uploads of data': 'sgo',
  'read data': 'msngoi',
}

const names = Object.keys(rights) as RightName[]

it.each(names)('%s: who may is who may in CONFINE', (name) => {
  const may = Object.entries(askers).filter(([, asker]) => findRefusal(name, asker, owner) === null)
  expect(may.map(([letter]) => letter).join('')).toBe(table[name])
})

it('a token that may only read changes nothing', () => {
  const changed = names.filter((name) =>
    Object.values(askers).some((asker) => {
      const reader: Asker = { ...asker, scope: 'read' }
      return (
        asker.role !== 'anonymous' &&
        rights[name].changes &&
        findRefusal(name, reader, owner) === null
      )
    }),
  )
  expect(changed).toEqual([])
})

it('who is refused for every object is refused before the object is looked at', () => {
  for (const name of names)
    for (const asker of Object.values(askers))
      if (findRefusal(name, asker, owner) === null)
        expect(findRefusal(name, asker, 'unknown')).toBeNull()
})
