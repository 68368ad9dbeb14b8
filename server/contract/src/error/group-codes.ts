import type { QuotaName } from '../schema/quota.ts'
import { code } from './define.ts'

/** Codes of groups, their members and what they ask for. */
export const groupCodes = {
  LAB_GROUP_NOT_ALLOWED: code<{ group: string; what: 'nodes' | 'slices'; action: string }>(
    403,
    false,
    (d) =>
      `cannot ${d.action}: group ${d.group} is not allowed ${d.what}; a group admin asks the operators for it (community-lab request ask allow-${d.what} ${d.group})`,
  ),
  LAB_GROUP_QUOTA: code<{
    group: string
    slice: string
    quota: QuotaName
    unit: string
    limit: number
    used: number
    /** How much more was asked for. */
    asked: number
    /** The slices that use most of it, the largest first. */
    slices: readonly { readonly slice: string; readonly used: number }[]
  }>(409, false, (d) => {
    const most = d.slices.map(({ slice, used }) => `${used} by slice ${slice}`).join(', ')
    const left = Math.max(0, d.limit - d.used)
    const less = left > 0 ? `ask for ${left} more at most, ` : ''
    const option = d.quota.replace('_mib', '')
    const amount = `${d.used + d.asked}${d.quota.endsWith('_mib') ? 'MiB' : ''}`
    return `slice ${JSON.stringify(d.slice)}: group ${d.group} may have ${d.limit} ${d.unit} and has ${d.used}${most === '' ? '' : ` (${most})`}, so ${d.asked} more are too many; ${less}release slices that are not needed any more, or have an operator raise the quota (community-lab group set-quota ${d.group} --${option} ${amount})`
  }),
  LAB_GROUP_UNCLEAR: code<{ action: string; groups: readonly string[] }>(
    400,
    false,
    (d) => `to ${d.action}, say for which group: ${d.groups.join(', ')}`,
  ),
  LAB_GROUP_LAST_ADMIN: code<{ group: string }>(
    409,
    false,
    (d) =>
      `group ${d.group} would be left without an active group admin; make another member its admin first`,
  ),
  LAB_GROUP_MEMBER_UNASKED: code<{ group: string; user: string }>(
    409,
    false,
    (d) =>
      `user ${d.user} is no member of group ${d.group} and has not asked to be one; new members ask, and their request is accepted`,
  ),
  LAB_GROUP_IN_USE: code<{ group: string; nodes: number; slices: number; templates?: number }>(
    409,
    false,
    (d) =>
      `group ${d.group} cannot be removed: it has ${d.nodes} nodes, ${d.slices} slices and ${d.templates ?? 0} templates; remove them first`,
  ),
  LAB_GROUP_AGREEMENT: code<{ newest: number | null }>(409, false, (d) =>
    d.newest === null
      ? 'this testbed has no agreement to accept; leave it out'
      : `the testbed's agreement is number ${d.newest}; read it (/api/agreements/${d.newest}/) and accept it by its number first`,
  ),
  LAB_GROUP_REQUEST_PENDING: code<{ kind: string; group: string; request: number }>(
    409,
    false,
    (d) =>
      `group ${d.group} has this request (${d.kind}) already: number ${d.request} waits for an answer`,
  ),
  LAB_GROUP_REQUEST_NEEDLESS: code<{ reason: string }>(
    409,
    false,
    (d) => `there is nothing to ask for: ${d.reason}`,
  ),
  LAB_ACCESS_TOO_MANY: code<{
    user: string
    what: 'groups' | 'tokens' | 'requests' | 'hosts'
    limit: number
  }>(409, false, (d) =>
    d.what === 'requests'
      ? `user ${d.user} has made ${d.limit} requests within a day, which is the most; try again tomorrow`
      : `user ${d.user} has ${d.limit} ${d.what}, which is the most; remove one that is not needed first`,
  ),
  LAB_GROUP_REQUEST_DECIDED: code<{ request: number; state: string }>(
    409,
    false,
    (d) => `request ${d.request} is ${d.state} already; ask again where that was wrong`,
  ),
} as const
