import { LabError, routes } from '@community-lab/contract'

/** The answer of a function to CONFINE's clients. Our own get the changed object. */
export interface FunctionAnswer {
  readonly status: number
  readonly detail: string
}

/**
 * Functions that answer with a text. CONFINE's clients take an answer without a body for a failure, so those that CONFINE does not have, and that answer with nothing, have one,
 * too. Source of the others: CONFINE controller 1.0.2.
 */
export const functionAnswers: Readonly<Record<string, FunctionAnswer>> = {
  [routes.nodeReboot]: { status: 200, detail: 'Node instructed to reboot' },
  [routes.sliceReset]: { status: 202, detail: 'Slice instructed to reset' },
  [routes.sliceRenew]: { status: 200, detail: 'Slice renewed for 30 days' },
  [routes.templateUploadImage]: { status: 200, detail: 'File uploaded correctly' },
  [routes.sliverUpdate]: { status: 202, detail: 'Sliver instructed to update' },
  [routes.groupLeave]: { status: 200, detail: 'You are no member of the group any more' },
  [routes.logOut]: { status: 200, detail: 'Logged out' },
  [routes.mailTest]: { status: 202, detail: 'A mail to you is in the outbox' },
}

/** Check that the body of a function has nothing in it. @throws {@link LabError} LAB_REQUEST_INVALID. */
export function checkNoData(body: unknown): void {
  const isEmpty =
    body === undefined ||
    body === null ||
    body === '' ||
    body === 0 ||
    (typeof body === 'object' && Object.keys(body).length === 0)
  if (isEmpty) return
  const message = 'This endpoint only accepts null data'
  throw new LabError('LAB_REQUEST_INVALID', { issues: [{ pointer: '', message }] })
}
