import type { NodeHold } from '../node-hold.ts'
import { code, didYouMean } from './define.ts'

/** Codes of slices, slivers, nodes, templates and their management network. */
export const testbedCodes = {
  LAB_NAME_TAKEN: code<{ kind: string; name: string }>(409, false, (d) =>
    d.kind === 'sliver'
      ? `the slice has a sliver on this node already, ${d.name}; change that one`
      : d.kind === 'e-mail address'
        ? `another user has the e-mail address ${d.name}; give one of this user alone`
        : `there is ${/^[aeio]/u.test(d.kind) ? 'an' : 'a'} ${d.kind} named ${JSON.stringify(d.name)} already${d.kind === 'user' ? ' (upper and lower case are not told apart)' : ''}; choose another name`,
  ),
  LAB_SLICE_UNKNOWN_TEMPLATE: code<{
    slice: string
    template: string
    suggestion: string | null
    known: readonly string[]
  }>(
    422,
    false,
    (d) =>
      `slice ${JSON.stringify(d.slice)}: there is no template ${JSON.stringify(d.template)}${didYouMean(d.suggestion)} (templates: ${d.known.join(', ') || 'none yet'})`,
  ),
  LAB_SLICE_UNKNOWN_NODE: code<{
    slice: string
    node: string
    suggestion: string | null
    known: readonly string[]
  }>(
    422,
    false,
    (d) =>
      `slice ${JSON.stringify(d.slice)}: there is no node ${JSON.stringify(d.node)}${didYouMean(d.suggestion)} (nodes: ${d.known.slice(0, 12).join(', ') || 'none yet'})`,
  ),
  LAB_SLICE_NODE_NOT_IN_PRODUCTION: code<{
    slice: string
    node: string
    state: string
    /** Nodes that are ready and have room for the whole request. */
    otherNodes: readonly string[]
  }>(
    409,
    true,
    (d) =>
      `slice ${JSON.stringify(d.slice)}: node ${d.node} is ${d.state}, not in production; choose another node${d.otherNodes.length === 0 ? '' : ` (${d.otherNodes.slice(0, 5).join(', ')})`} or wait until it is back`,
  ),
  LAB_SLICE_NO_CAPACITY: code<{
    slice: string
    resource: string
    asked: number
    unit: string
    largestFree: number
    node: string
    onNode: string
    /** What is left of it on each node that has too little; a sliver cannot have more than this. */
    short: readonly { readonly node: string; readonly free: number }[]
    /** The largest amount that all nodes of the request have. */
    fits: number
    /** Other nodes that have room for the whole request. */
    otherNodes: readonly string[]
  }>(409, false, (d) => {
    const own = d.short.slice(0, 5).map(({ node, free }) => `${node} has ${free}`)
    const more = d.short.length > 5 ? `, and ${d.short.length - 5} more have too little` : ''
    const less = d.fits > 0 ? `ask for ${d.fits} ${d.unit} at most` : 'leave these nodes out'
    const others = d.otherNodes.slice(0, 5).join(', ')
    const amount =
      d.unit === d.resource ? `${d.asked} more ${d.unit}` : `${d.asked} ${d.unit} of ${d.resource}`
    return `slice ${JSON.stringify(d.slice)}: node ${d.onNode} cannot give ${amount} (largest free: ${d.largestFree} ${d.unit} on ${d.node}; ${own.join(', ')}${more}); ${less}, or ${others === '' ? 'wait until a slice there ends: no other node has room' : `use others: ${others} ${d.otherNodes.length === 1 ? 'has' : 'have'} room`}`
  }),
  LAB_SLICE_ARCH_MISMATCH: code<{
    slice: string
    node: string
    arch: string
    template: string
    archs: readonly string[]
  }>(
    409,
    false,
    (d) =>
      `slice ${JSON.stringify(d.slice)}: template ${d.template} is for ${d.archs.join(', ')}, node ${d.node} is ${d.arch}; choose another template or node`,
  ),
  LAB_SLICE_WOULD_LOSE: code<{
    slice: string
    /** The first slivers. */
    slivers: readonly { readonly node: string; readonly why: string }[]
    /** The number of all of them. */
    count: number
  }>(
    409,
    false,
    (d) =>
      `slice ${JSON.stringify(d.slice)} was left as it is: ${d.slivers
        .slice(0, 5)
        .map((sliver) => `the sliver on ${sliver.node} would be ${sliver.why}`)
        .join(
          '; ',
        )}${d.count > 5 ? `; and ${d.count - 5} more` : ''}. Every file and program in ${d.count === 1 ? 'it' : 'them'} would be lost; ask for the same as before, or allow the loss (mayLose: 'slivers' in a notebook, may_lose in the API)`,
  ),
  LAB_SLICE_SET_STATE_BY_PUT: code<{ slice: string }>(
    400,
    false,
    (d) => `slice ${JSON.stringify(d.slice)}: set_state cannot be changed by PUT; use PATCH`,
  ),
  LAB_SLIVER_NOT_STARTED: code<{
    sliver: string
    state: string
    /** Its node, where that keeps it from starting. */
    node?: NodeHold
  }>(409, true, (d) => {
    const why = d.node === undefined || d.node.reason === '' ? '' : `: ${d.node.reason}`
    const next = d.node
      ? `it starts when node ${d.node.name} runs slivers again, which is ${d.node.state}${why}`
      : 'wait for it with slice.started()'
    return `sliver ${d.sliver} is ${d.state}, not started; ${next}`
  }),
  LAB_SLIVER_UNREACHABLE: code<{ sliver: string; address: string; reason: string }>(
    502,
    true,
    (d) =>
      `sliver ${d.sliver} does not answer at [${d.address}]:22 over the management network (${d.reason}); its node may be cut off`,
  ),
  LAB_NODE_STATE_REFUSED: code<{ node: string; from: string; to: string; reason: string }>(
    409,
    false,
    (d) => `node ${d.node} cannot go from ${d.from} to ${d.to}: ${d.reason}`,
  ),
  LAB_TEMPLATE_CHECKSUM: code<{ template: string; expected: string; found: string }>(
    0,
    true,
    (d) =>
      `template ${d.template}: the SHA-256 of the image that the node got is ${d.found}, expected ${d.expected}; it was damaged on its way or on the server's disk`,
  ),
  LAB_TEMPLATE_NO_ROOM: code<{
    template: string
    keptMiB: number
    /** Whether the disk lacks files (inodes), not bytes. */
    isOutOfFiles?: boolean
  }>(
    0,
    true,
    (d) =>
      `template ${d.template} does not fit on this node: with it, less than ${d.isOutOfFiles === true ? 'a tenth of the files' : `the ${d.keptMiB} MiB`} of disk would be left that slivers and samples have been promised; use a smaller template, or release other slices on the node`,
  ),
  LAB_TEMPLATE_BROKEN: code<{ template: string; reason: string }>(
    0,
    false,
    (d) =>
      `the image of template ${d.template} cannot be unpacked: ${d.reason}; upload another image, and have the slice use that version`,
  ),
  LAB_TEMPLATE_UNUSABLE: code<{ template: string; nodes: number; reason: string }>(
    409,
    false,
    (d) =>
      `template ${d.template} is not sent to further nodes: ${d.nodes} could not unpack its image, and none could (${d.reason}); upload another image, or name another version`,
  ),
  LAB_TEMPLATE_NO_IMAGE: code<{ template: string }>(
    404,
    false,
    (d) => `template ${d.template} has no image yet; upload one`,
  ),
  LAB_TEMPLATE_NO_VERSION: code<{ template: string; version: number; known: readonly number[] }>(
    422,
    false,
    (d) =>
      `template ${d.template} has no version ${d.version} (versions: ${d.known.join(', ') || 'none yet'}); choose one of these, or omit the version`,
  ),
  /** `template` is a name with a version, or without one when it has no public version. */
  LAB_TEMPLATE_VERSION_NEEDED: code<{ template: string; newest: number }>(
    422,
    false,
    ({ template, newest }) =>
      `template "${template}" was not made public: the request does not say which of its versions; add "version": ${newest} if you have looked at that one, or send If-Match`,
  ),
  LAB_TEMPLATE_NOT_PUBLIC: code<{ template: string; group: string | null }>(
    403,
    false,
    (d) =>
      `template ${d.template} is for slices of ${d.group === null ? 'the operators' : `group ${d.group}`} only; choose another, or ask an operator to make it public`,
  ),
  LAB_TEMPLATE_QUOTA: code<{
    group: string
    what: 'templates' | 'MiB of images'
    limit: number
    used: number
  }>(
    409,
    false,
    (d) =>
      `group ${d.group} has ${d.used} ${d.what} of at most ${d.limit}; remove templates or versions that are not needed first`,
  ),
  LAB_TEMPLATE_TOO_MANY_VERSIONS: code<{ template: string; limit: number }>(
    409,
    false,
    (d) =>
      `template ${d.template} has ${d.limit} versions already, the most that a template may have; remove some that no slice uses first`,
  ),
  /** `template` is a name, with a version when only that was to be removed. */
  LAB_TEMPLATE_IN_USE: code<{ template: string; slices: readonly string[] }>(
    409,
    false,
    (d) => `template ${d.template} is used by slices ${d.slices.join(', ')}; delete them first`,
  ),
  LAB_ENROLLMENT_REFUSED: code<{ reason: string }>(
    401,
    false,
    (d) => `the enrolment token was refused: ${d.reason}; ask the operator for a new one`,
  ),
  LAB_ENROLLMENT_MALFORMED: code<{ reason: string }>(
    0,
    false,
    (d) =>
      `this is no enrolment token: ${d.reason}; copy the whole line that the operator gave you`,
  ),
  LAB_CERTIFICATE_MISMATCH: code<{ url: string; expected: string; found: string }>(
    0,
    false,
    (d) =>
      `${d.url} showed the certificate ${d.found}, not ${d.expected}; nothing was sent to it. Check the address, or ask the operator for a new token`,
  ),
  LAB_MEASUREMENT_UNKNOWN: code<{ scope: string; name: string; known: readonly string[] }>(
    404,
    false,
    (d) =>
      `${d.scope} has no measurement ${JSON.stringify(d.name)} yet (known: ${d.known.join(', ') || 'none yet'}); it appears with its first sample`,
  ),
} as const
