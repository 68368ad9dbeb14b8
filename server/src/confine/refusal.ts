import { LabError, type ErrorCode, type Issue } from '@community-lab/contract'

/** An error as CONFINE's clients get it. */
export interface Refusal {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** The request that is refused. */
export interface RefusedRequest {
  readonly method: string
  /** The kind of the object in the path; empty: none. */
  readonly kind: string
  /** Whether the body describes an object. Then errors are shown at its members. */
  readonly changesObject: boolean
}

/** CONFINE's texts of errors of a whole request. Source: CONFINE controller 1.0.2. */
const details: Readonly<Partial<Record<ErrorCode, string>>> = {
  LAB_AUTH_REQUIRED: 'Authentication credentials were not provided.',
  LAB_AUTH_INVALID_TOKEN: 'Invalid token',
  LAB_AUTH_FORBIDDEN: 'You do not have permission to perform this action.',
  LAB_NOT_FOUND: 'Not found',
  LAB_REQUEST_NOT_ACCEPTABLE: "Could not satisfy the request's Accept header",
}

/** CONFINE's texts of a failed log-in. Source: CONFINE controller 1.0.2. */
const logInFailures = {
  wrong: 'Unable to login with provided credentials.',
  disabled: 'User account is disabled.',
} as const

/** CONFINE's texts of a filter that is not known. The two blanks are its own. Source: CONFINE controller 1.0.2. */
const unknownFilters = {
  member: 'Filtering by a non existent field!',
  value:
    'Filtering using invalid type. Have you forgotten to put string value inside double quotes?',
  type: 'Filtering  using invalid type!',
} as const

/** Errors that CONFINE shows at a member of the body. */
const members: Readonly<Partial<Record<ErrorCode, string>>> = {
  LAB_GROUP_LAST_ADMIN: 'user_roles',
  LAB_GROUP_MEMBER_UNASKED: 'user_roles',
  LAB_GROUP_UNCLEAR: 'group',
  LAB_NAME_TAKEN: 'name',
  LAB_SLICE_SET_STATE_BY_PUT: 'set_state',
}

/**
 * Return an error as CONFINE's API answers it. Errors of members are lists of texts by member. Others have `detail`, CONFINE's text where it has one, and two
 * members that CONFINE does not have: our `code` and our `message`, which says what to do. CONFINE has no 401 and, for bodies, no 409 and no 422.
 */
export function toConfineRefusal(
  error: LabError,
  { method, kind, changesObject }: RefusedRequest,
): Refusal {
  const { code, message } = error
  const status = error.status === 0 ? 500 : error.status
  if (LabError.is(error, 'LAB_REQUEST_INVALID')) {
    const { issues } = error.details
    const [first] = issues
    if (first?.pointer === '' && !changesObject)
      return { status: 400, body: { detail: first.message, code, message } }
    if (issues.every(({ pointer }) => pointer === '' || pointer.startsWith('/')))
      return { status: 400, body: byMember(issues) }
  }
  if (LabError.is(error, 'LAB_REQUEST_UNKNOWN_FILTER'))
    return { status, body: { detail: unknownFilters[error.details.unknown], code, message } }
  if (LabError.is(error, 'LAB_AUTH_LOG_IN_FAILED'))
    return { status, body: { non_field_errors: [logInFailures[error.details.reason]] } }
  if (LabError.is(error, 'LAB_REQUEST_METHOD'))
    return { status, body: { detail: `Method '${method}' not allowed.`, code, message } }
  if (LabError.is(error, 'LAB_REQUEST_MEDIA_TYPE') && error.details.expected === undefined)
    return {
      status,
      body: {
        detail: `Unsupported media type '${error.details.found}' in request.`,
        code,
        message,
      },
    }
  if (LabError.is(error, 'LAB_NOT_FOUND') && changesObject && error.details.kind !== kind)
    return {
      status: 400,
      body: { [error.details.kind]: ['Invalid hyperlink - object does not exist.'] },
    }
  const isPair = LabError.is(error, 'LAB_NAME_TAKEN') && error.details.kind === 'sliver'
  const member = isPair ? '__all__' : members[code]
  if (member !== undefined && changesObject) return { status: 400, body: { [member]: [message] } }
  const isOwn = LabError.is(error, 'LAB_NOT_FOUND')
  if (changesObject && !isOwn && [404, 409, 422].includes(status))
    return { status: 400, body: { __all__: [message] } }
  return {
    status: status === 401 ? 403 : status,
    body: { detail: details[code] ?? message, code, message },
  }
}

type Tree = Map<string, Tree | string[]>

/** Arrange issues by member: `/a/1/b` becomes `{"a": [{}, {"b": [text]}]}`, as CONFINE nests them. */
function byMember(issues: readonly Issue[]): Record<string, unknown> {
  const root: Tree = new Map()
  for (const { pointer, message } of issues) {
    const path = pointer === '' ? ['non_field_errors'] : pointer.slice(1).split('/')
    const last = path.pop() ?? ''
    let at = root
    for (const name of path) {
      const below = at.get(name)
      const next: Tree = below instanceof Map ? below : new Map<string, Tree | string[]>()
      at.set(name, next)
      at = next
    }
    const texts = at.get(last)
    const text = message === 'is missing' ? 'This field is required.' : message
    if (Array.isArray(texts)) texts.push(text)
    else if (texts === undefined) at.set(last, [text])
  }
  return showMembers(root)
}

function showMembers(tree: Tree): Record<string, unknown> {
  return Object.fromEntries(
    [...tree].map(([name, below]) => [name, Array.isArray(below) ? below : showNested(below)]),
  )
}

/** Errors inside a list keep their positions; those inside an object are a list of one. */
function showNested(tree: Tree): unknown[] {
  const positions = [...tree.keys()].map((name) => (/^\d{1,4}$/u.test(name) ? Number(name) : null))
  if (positions.includes(null)) return [showMembers(tree)]
  return Array.from({ length: Math.max(...positions.map(Number)) + 1 }, (_, position) => {
    const below = tree.get(String(position))
    if (below === undefined) return {}
    return Array.isArray(below) ? { non_field_errors: below } : showMembers(below)
  })
}
