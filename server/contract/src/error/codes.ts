import { agentCodes } from './agent-codes.js'
import { cliCodes } from './cli-codes.js'
import { kernelCodes } from './kernel-codes.js'
import { processCodes } from './process-codes.js'
import { requestCodes } from './request-codes.js'
import { testbedCodes } from './testbed-codes.js'
import { vctCodes } from './vct-codes.js'

/** Every error code there is. `ERRORS.md` documents each; a test holds the two together. */
export const errorCodes = {
  ...requestCodes,
  ...testbedCodes,
  ...processCodes,
  ...agentCodes,
  ...kernelCodes,
  ...vctCodes,
  ...cliCodes,
} as const

/** A stable code, `LAB_<AREA>_<REASON>`. */
export type ErrorCode = keyof typeof errorCodes

/** The details that go with a code. */
export type DetailsOf<C extends ErrorCode> = Parameters<(typeof errorCodes)[C]['message']>[0]
