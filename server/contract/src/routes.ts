/**
 * All paths of the server. `{id}` is an id; the id of a sliver is `slice@node`. Paths and trailing slashes are those of CONFINE's registry API v1; `ctl/` has
 * functions, called by POST.
 */
export const routes = {
  health: '/health',
  /** GET, operators: metrics of the server, in the text format of Prometheus. */
  metrics: '/metrics',
  /** GET: what the nodes measure of themselves, in the same format. */
  nodeMetrics: '/metrics/nodes',
  base: '/api/',
  events: '/api/events/',
  nodes: '/api/nodes/',
  node: '/api/nodes/{id}/',
  /** POST, operators: bumps boot_sn. */
  nodeReboot: '/api/nodes/{id}/ctl/reboot/',
  /** POST, operators: a one-time enrolment token. */
  nodeEnrollmentToken: '/api/nodes/{id}/ctl/enrollment-token/',
  /** POST, with the one-time secret as bearer. */
  enroll: '/api/nodes/ctl/enroll/',
  /** POST, operators: revokes the node's keys and tokens. */
  nodeRevoke: '/api/nodes/{id}/ctl/revoke/',
  /** GET, the node itself. */
  nodeTarget: '/api/nodes/{id}/ctl/target/',
  /** PUT a NodeReport, the node itself. GET: the last report, a NodeLastReport. */
  nodeState: '/api/nodes/{id}/ctl/state/',
  /** GET: the node's states, NodeInterval, of a period: `?from=`, `?to=` (RFC 3339). */
  nodeHistory: '/api/nodes/{id}/ctl/history/',
  /** GET: a NodeAvailability of a period. */
  nodeAvailability: '/api/nodes/{id}/ctl/availability/',
  /** WebSocket, the node itself. */
  nodeStream: '/api/nodes/{id}/ctl/stream',
  templates: '/api/templates/',
  template: '/api/templates/{id}/',
  /** PUT the .tar.gz, operators, header `x-sha256` optional. */
  templateUploadImage: '/api/templates/{id}/ctl/upload-image/',
  /** GET: the unfinished uploads of images. POST with Tus-Resumable, Upload-Length: begin one. */
  templateUploads: '/api/templates/{id}/uploads/',
  /** GET, HEAD, PATCH, DELETE, by the tus protocol. */
  templateUpload: '/api/templates/{id}/uploads/{upload}/',
  /** GET, PATCH a TemplateVersionPatch, DELETE. */
  templateVersion: '/api/templates/{id}/versions/{version}/',
  /** GET: the image of a version. */
  templateImage: '/api/templates/{id}/versions/{version}/image.tar.gz',
  slices: '/api/slices/',
  slice: '/api/slices/{id}/',
  /** PUT a SliceSpec: 201 when the slice was created, 200 when it existed. */
  sliceEnsure: '/api/slices/ctl/ensure/',
  sliceRenew: '/api/slices/{id}/ctl/renew/',
  sliceReset: '/api/slices/{id}/ctl/reset/',
  /** PUT a data archive: the slivers of the slice have it from their next update on. */
  sliceUploadData: '/api/slices/{id}/ctl/upload-data/',
  /** GET: the runs of a slice. POST a RunCreate: 201 when it was made, 200 when it existed. */
  sliceRuns: '/api/slices/{id}/runs/',
  /** GET: the runs of all slices of the asker's groups. */
  runs: '/api/runs/',
  run: '/api/runs/{id}/',
  /** POST: end it on all slivers. */
  runCancel: '/api/runs/{id}/ctl/cancel/',
  /** GET: its RunPrograms. */
  runPrograms: '/api/runs/{id}/programs/',
  slivers: '/api/slivers/',
  sliver: '/api/slivers/{id}/',
  sliverUpdate: '/api/slivers/{id}/ctl/update/',
  /** PUT a data archive for this sliver alone. */
  sliverUploadData: '/api/slivers/{id}/ctl/upload-data/',
  /** GET: the last report, a SliverLastReport. */
  sliverState: '/api/slivers/{id}/ctl/state/',
  /** GET: the sliver's states, SliverInterval, of a period. */
  sliverHistory: '/api/slivers/{id}/ctl/history/',
  /** GET: a SliverAvailability of a period. */
  sliverAvailability: '/api/slivers/{id}/ctl/availability/',
  /** WebSocket of bytes to the sliver's SSH port. */
  sliverSsh: '/api/slivers/{id}/ctl/ssh',
  servers: '/api/servers/',
  server: '/api/servers/{id}/',
  islands: '/api/islands/',
  island: '/api/islands/{id}/',
  hosts: '/api/hosts/',
  /** GET: the images of nodes, which are none yet. */
  baseImages: '/api/baseimages/',
  host: '/api/hosts/{id}/',
  groups: '/api/groups/',
  group: '/api/groups/{id}/',
  /** POST, a member: is a member no more. */
  groupLeave: '/api/groups/{id}/ctl/leave/',
  /** POST an AgreementAccept. */
  groupAcceptAgreement: '/api/groups/{id}/ctl/accept-agreement/',
  /** PUT a data archive with this SHA-256, or GET it. */
  groupData: '/api/groups/{id}/data/{hash}',
  /** GET: the unfinished uploads of data archives. POST with Tus-Resumable, Upload-Length: begin one. */
  groupDataUploads: '/api/groups/{id}/data/uploads/',
  /** HEAD or GET: its offset. PATCH: add bytes. DELETE: cancel it. */
  groupDataUpload: '/api/groups/{id}/data/uploads/{upload}/',
  agreements: '/api/agreements/',
  agreement: '/api/agreements/{id}/',
  requests: '/api/requests/',
  request: '/api/requests/{id}/',
  /** POST a GroupRequestAccept. */
  requestAccept: '/api/requests/{id}/ctl/accept/',
  requestRefuse: '/api/requests/{id}/ctl/refuse/',
  /** GET: which slivers ran where, JournalEntry, newest first. */
  journal: '/api/journal/',
  journalEntry: '/api/journal/{id}/',
  /** GET, operators: who changed what. */
  audit: '/api/audit/',
  auditEntry: '/api/audit/{id}/',
  /** GET, operators: a MailStatus. */
  mail: '/api/mail/',
  /** POST, operators: a mail to the operator who asks. */
  mailTest: '/api/mail/ctl/test/',
  users: '/api/users/',
  user: '/api/users/{id}/',
  whoami: '/api/users/ctl/whoami/',
  /** POST a LogIn, without a token: CONFINE's way to get one. */
  getAuthToken: '/api-token-auth/',
  /** POST a SessionLogIn: a page logs in, and gets a cookie. */
  logIn: '/api/users/ctl/log-in/',
  /** POST: the session of a page ends. */
  logOut: '/api/users/ctl/log-out/',
  /** POST an Invite, or nothing; operators: a one-time secret by which the user sets a password. */
  userInvite: '/api/users/{id}/ctl/invite/',
  /** POST an InvitationRedeem, without a token. */
  redeemInvitation: '/api/users/ctl/redeem-invitation/',
  /** POST a ResetPassword, without a token: a mail by which a user sets a new password. */
  resetPassword: '/api/users/ctl/reset-password/',
  /** POST a ConfirmEmail, without a token: an e-mail address becomes its user's. */
  confirmEmail: '/api/users/ctl/confirm-email/',
  /** POST a ChangeAuth. */
  userChangeAuth: '/api/users/{id}/ctl/change-auth/',
  /** POST an AuthTokenAdd, for the user who asks. */
  addAuthToken: '/api/users/ctl/add-auth-token/',
  /** POST an AuthTokenRemove. */
  removeAuthToken: '/api/users/ctl/remove-auth-token/',
  tokens: '/api/tokens/',
  token: '/api/tokens/{id}/',
  measurements: '/api/measurements/',
  /** GET: server-sent events of RowBatch, from `?after=<cursor>` or Last-Event-ID on; `?run=` selects the rows of that run. */
  measurementRows: '/api/measurements/{scope}/{name}/rows',
  /** GET: a Parquet file; `?run=`, `?from=`, `?to=`, `?since=` (RFC 3339), `?after=`, `?up_to=` (cursors). */
  measurementParquet: '/api/measurements/{scope}/{name}/parquet',
  /** GET: the days of the public dataset of node health, PublishedDay, in order. */
  healthDays: '/api/datasets/node-health/',
  /** GET: what the server has recorded of nodes in a period, also today, RecordedTable; `?from=`, `?to=` (RFC 3339). */
  healthRecorded: '/api/datasets/node-health/recorded',
  /** GET: a HealthManifest. */
  healthManifest: '/api/datasets/node-health/{day}/manifest.json',
  /** GET: a Parquet file that the manifest names. It never changes. Ranges of bytes can be asked for. */
  healthFile: '/api/datasets/node-health/{day}/{file}',
  docs: '/docs',
} as const

/** Replace the `{…}` of a route by values, which are URI-encoded. */
export function path(
  route: string,
  values: Readonly<Record<string, string | number>> = {},
): string {
  let parts = partsOf.get(route)
  if (parts === undefined) {
    parts = route.split(/\{([a-z]+)\}/u)
    partsOf.set(route, parts)
  }
  // Texts and names take turns. A list of a thousand objects has several thousand paths.
  let text = parts[0] ?? ''
  for (let at = 1; at < parts.length; at += 2) {
    const key = parts[at] ?? ''
    const value = values[key]
    if (value === undefined) throw new RangeError(`route ${route} needs ${key}`)
    text += encode(value) + (parts[at + 1] ?? '')
  }
  return text
}

/** The parts of the routes that were asked for, of which there are as many as in {@link routes}. */
const partsOf = new Map<string, readonly string[]>()

function encode(value: string | number): string {
  if (typeof value === 'number' || /^[\w.@-]*$/u.test(value)) return String(value)
  return encodeURIComponent(value).replaceAll('%40', '@')
}
