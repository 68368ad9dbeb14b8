import {
  faultyImage,
  LabError,
  messageOf,
  type ErrorCode,
  type MemberError,
} from '@community-lab/contract'
import type { StepKind } from '../plan/step.ts'

/** The member of a sliver that causes a failure, by error code, if the code is more precise than the step. */
const memberOfCode: Partial<Record<ErrorCode, string>> = {
  LAB_TEMPLATE_CHECKSUM: faultyImage,
  LAB_TEMPLATE_BROKEN: faultyImage,
  LAB_SLIVER_NO_ROOM: '/resources',
  LAB_TEMPLATE_NO_ROOM: '/template',
  LAB_DATA_UNREACHABLE: '/data_uri',
  LAB_DATA_CHECKSUM: '/data_sha256',
  LAB_DATA_NO_ROOM: '/data_sha256',
  LAB_DATA_INVALID: '/data_sha256',
  LAB_DATA_TOO_LARGE: '/resources',
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
  undeploy: '',
  remove: '',
}

/** Return the member of the sliver that caused a failed step, and the message. An error with a `member` in its details is the most precise. */
export function describeFault(step: StepKind, error: unknown): MemberError {
  const message = messageOf(error)
  const code = LabError.is(error, 'LAB_TEMPLATE_BROKEN') ? { code: error.code } : {}
  return { member: memberAtFault(step, error), message, ...code }
}

function memberAtFault(step: StepKind, error: unknown): string {
  if (!LabError.is(error)) return memberOfStep[step]
  if ('member' in error.details && typeof error.details.member === 'string')
    return error.details.member
  // The only commands that allocating runs unpack its template.
  if (step === 'allocate' && error.code === 'LAB_SLIVER_COMMAND_FAILED') return '/template'
  return memberOfCode[error.code] ?? memberOfStep[step]
}
