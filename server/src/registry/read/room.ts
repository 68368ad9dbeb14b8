import {
  LabError,
  maxSliversPerNode,
  resourceDefaults,
  resourceMembers,
  type ResourceName,
} from '@community-lab/contract'
import { sql } from 'kysely'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { completeResources, isReserved } from '../../domain/admission.ts'
import { both, type Condition } from '../../postgres/filter.ts'
import { promised } from './promised.ts'

const amount = Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 }))
const Room = Type.Object(
  { memory: amount, disk: amount, cpu: amount, processes: amount },
  { additionalProperties: false },
)

/**
 * Read the parameter `room` of a list of nodes, such as `{"memory":256,"disk":512}`. Returns the condition for nodes with room for one more sliver with these
 * resources. A resource that is not named has the amount of a sliver that requests none.
 *
 * @throws {@link LabError} LAB_REQUEST_INVALID.
 */
export function readRoom(text: string): Condition {
  const asked = parse(text)
  if (!Value.Check(Room, asked)) {
    const message =
      'must be amounts of memory and disk in MiB, cpu in percent of a core, or processes, such as {"memory":256}'
    throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '?room', message }] })
  }
  const names = Object.keys(resourceDefaults) as ResourceName[]
  const requests = names.flatMap((name) => {
    const req = asked[name]
    return req === undefined ? [] : [{ name, req }]
  })
  const slivers = sql`(select count(*) from slivers where slivers.node_id = nodes.id)`
  // Of null and a number, "least" takes the number.
  const mostSlivers = sql`least(${maxSliversPerNode}, (nodes.lends ->> 'slivers')::int,
    (nodes.report #>> '{lending,device,slivers}')::int)`
  return completeResources(requests)
    .map(({ name, req }) => hasRoom(name, req))
    .reduce(both, sql<boolean>`${slivers} < ${mostSlivers}`)
}

/** The rule of `lendResource` and `showResource`, in SQL. */
function hasRoom(name: ResourceName, req: number): Condition {
  const lent = sql`(nodes.lends ->> ${resourceMembers[name]})::bigint`
  const total = sql`least((one ->> 'total')::bigint, ${lent})`
  const left = isReserved(name) ? sql`${total} - ${takenOf(name)}` : total
  return sql<boolean>`exists (
    select from jsonb_array_elements(nodes.report -> 'resources') as one
    where one ->> 'name' = ${name} and least((one ->> 'max_req')::bigint, ${left}) >= ${req})`
}

/** What the slivers of a node have of a resource. */
function takenOf(name: ResourceName) {
  return sql`coalesce((
    select sum(${promised(name)}) from slivers where slivers.node_id = nodes.id), 0)`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The refusal says what is expected.
    return undefined
  }
}
