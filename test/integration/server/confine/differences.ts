/** A difference from CONFINE's controller, and why it is wanted. */
export interface Difference {
  /** The names of the exchanges. */
  readonly of: RegExp
  /** How the answers differ. */
  readonly is: RegExp
  readonly reason: string
}

/** All differences that the replay of the recording allows. `server/CONFINE-API.md` has them for readers. */
export const differences: readonly Difference[] = [
  // Behaviours of CONFINE that are faults.
  {
    of: /^users patch is_superuser$/u,
    is: /^status 403, not 200$/u,
    reason: 'nobody makes themselves an operator',
  },
  {
    of: /^groups patch allow by admin$/u,
    is: /^status 403, not 200$/u,
    reason: 'only operators allow a group nodes and slices',
  },
  {
    of: /^nodes filter after paging$/u,
    is: /^no relation next$/u,
    reason: 'a list is filtered before it is cut into pages',
  },
  {
    of: /^nodes gzip etag as sent$/u,
    is: /^status 304, not 200$/u,
    reason: 'a known ETag is known, however the answer is compressed',
  },
  {
    of: /^nodes create bad reference$|^nodes patch bad property$/u,
    is: /^no member \/detail$/u,
    reason: 'errors of a member are always shown at the member',
  },
  {
    of: /^users change-auth own$/u,
    is: /^status 400, not 403$/u,
    reason: 'people change their own password, with the current one',
  },
  // The table of rights.
  {
    of: /^users (list|detail)$/u,
    is: /^status 403, not 200$/u,
    reason: 'who the people of a testbed are is told to people who have a token',
  },
  {
    of: /^users delete own$/u,
    is: /^status 403, not 204$/u,
    reason: 'operators remove users, so that no group loses its last admin unseen',
  },
  {
    of: /^groups delete$|^nodes gone with group$/u,
    is: /^status (409, not 204|200, not 404)$/u,
    reason:
      'a group that owns nodes or slices is not removed: their measurements would lose their owner',
  },
  // Members that are not needed.
  {
    of: /^(nodes|slices) create empty$/u,
    is: /^no member \/(group|arch|mgmt_net|sliver_defaults)$/u,
    reason:
      'these members have defaults: the only group, what the node reports, the VPN, no template',
  },
  {
    of: /^(groups|nodes|hosts) put incomplete$/u,
    is: /^status 200, not 400$/u,
    reason: 'a member that a PUT leaves out keeps its value',
  },
  // Nodes.
  {
    of: /^nodes /u,
    is: /^no member (\/_)?\/api$/u,
    reason:
      'nodes have no API of their own; a member of this name would take the place of what confine-orm keeps there',
  },
  {
    of: /^nodes create bad choices$/u,
    is: /^no member \/mgmt_net$/u,
    reason: 'all nodes use the VPN; the backend cannot be chosen',
  },
  {
    of: /^nodes patch tinc/u,
    is: /^status 200, not 400$|^no member \/tinc\/addresses$/u,
    reason:
      'a node brings its key itself when it enrols, with a proof that it has the private half',
  },
  {
    of: /^nodes (detail|gzip|profile)/u,
    is: /^no relation .*\/(do-request-mgmt-cert|firmware|gis)$/u,
    reason: 'agents pin the server’s certificate; places of nodes and firmware are not built yet',
  },
  {
    of: /^nodes (gis|request-cert|firmware)/u,
    is: /^status (404|405), not|^no method/u,
    reason: 'agents pin the server’s certificate; places of nodes and firmware are not built yet',
  },
  {
    of: /^(nodes|slivers) state$/u,
    is: /^no method POST$/u,
    reason: 'nodes report by themselves: the server does not fetch from them',
  },
  // Servers, islands, hosts, base images.
  {
    of: /^islands bad name$/u,
    is: /^status 201, not 400$/u,
    reason: 'a name may have one character',
  },
  {
    of: /^hosts detail$/u,
    is: /^no relation .*\/do-upload-pubkey$/u,
    reason: 'this function fails for everybody; the key is a member of the host',
  },
  {
    of: /^baseimages /u,
    is: /^status (404|405), not|^type|^no method POST$/u,
    reason: 'there are no base images yet, and the list has its own profile',
  },
  // Templates.
  {
    of: /^templates create forbidden$/u,
    is: /^status 400, not 403$/u,
    reason: 'any group may make templates; an operator marks the public ones',
  },
  {
    of: /^templates without sha256$/u,
    is: /^no member \/__all__$/u,
    reason: 'images are uploaded, so that nodes need no other server; image_uri cannot be given',
  },
  {
    of: /^templates upload-image$/u,
    is: /^status 415, not 200|^no member \/detail|^member \/detail/u,
    reason: 'an image must be a gzip file, which the one of the recording is not',
  },
  // Slices and slivers.
  {
    of: /^slices isolated too late$/u,
    is: /^status 200, not 400$/u,
    reason: 'slivers have no isolated interfaces yet; the member is ignored',
  },
  {
    of: /^(slices|slivers) upload-data$/u,
    is: /^status 405, not/u,
    reason: 'a data archive is uploaded by PUT as it is, not as a part of a form',
  },
  {
    of: /^slices create bad$/u,
    is: /^no member \/sliver_defaults$/u,
    reason: 'a data_uri of another server is refused whether its SHA-256 is known or not',
  },
  {
    of: /^slivers (create empty|create bad interfaces|patch bad)$/u,
    is: /^no member \/interfaces$|^status 20[01], not 400$/u,
    reason: 'each sliver has the same two interfaces; those that a client lists are ignored',
  },
]
