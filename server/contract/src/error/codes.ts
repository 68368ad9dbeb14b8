import { agentCodes } from './agent-codes.ts'
import { agentCoreCodes } from './agent-core-codes.ts'
import { agentSliverCodes } from './agent-sliver-codes.ts'
import { cliCodes } from './cli-codes.ts'
import { dataCodes } from './data-codes.ts'
import { groupCodes } from './group-codes.ts'
import { kernelCodes } from './kernel-codes.ts'
import { managementCodes } from './management-codes.ts'
import { processCodes } from './process-codes.ts'
import { requestCodes } from './request-codes.ts'
import { runCodes } from './run-codes.ts'
import { telemetryCodes } from './telemetry-codes.ts'
import { testbedCodes } from './testbed-codes.ts'
import { uploadCodes } from './upload-codes.ts'
import { vctCodes } from './vct-codes.ts'

/** All error codes. `ERRORS.md` documents each; a test compares the two. */
export const errorCodes = {
  ...requestCodes,
  ...testbedCodes,
  ...dataCodes,
  ...uploadCodes,
  ...runCodes,
  ...groupCodes,
  ...telemetryCodes,
  ...processCodes,
  ...managementCodes,
  ...agentCodes,
  ...agentCoreCodes,
  ...agentSliverCodes,
  ...kernelCodes,
  ...vctCodes,
  ...cliCodes,
} as const

/** A stable code, `LAB_<AREA>_<REASON>`. */
export type ErrorCode = keyof typeof errorCodes

/** The details of a code. */
export type DetailsOf<C extends ErrorCode> = Parameters<(typeof errorCodes)[C]['message']>[0]
