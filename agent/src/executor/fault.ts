import { LabError, type ErrorCode, type MemberError } from '@community-lab/contract'
import type { StepKind } from '../plan/step.ts'

/** Which member of a sliver a failure is about, where its code tells more than its step. */
const memberOfCode: Partial<Record<ErrorCode, string>> = {
  LAB_TEMPLATE_CHECKSUM: '/template/image_sha256',
  LAB_SLIVER_NO_ROOM: '/resources',
  LAB_TEMPLATE_NO_ROOM: '/template',
  LAB_TEMPLATE_NO_IMAGE: '/template/image_uri',
  LAB_CONNECTION_FAILED: '/template/image_uri',
  LAB_RESPONSE_INVALID: '/template/image_uri',
  LAB_RESPONSE_TOO_LARGE: '/template/image_uri',
}

const memberOfStep: Readonly<Record<StepKind, string>> = {
  reboot: '',
  allocate: '/resources',
  deploy: '/template',
  start: '',
  authorize: '/ssh_authorized_keys',
  stop: '',
  remove: '',
}

/** Say of a failed step which member of the sliver is at fault, and why. An error that names its `member` in its details knows best. */
export function describeFault(step: StepKind, error: unknown): MemberError {
  const message = error instanceof Error ? error.message : String(error)
  return { member: memberAtFault(step, error), message }
}

function memberAtFault(step: StepKind, error: unknown): string {
  if (!LabError.is(error)) return memberOfStep[step]
  if ('member' in error.details && typeof error.details.member === 'string')
    return error.details.member
  return memberOfCode[error.code] ?? memberOfStep[step]
}
