/** Codes of the cli. */
export const cliCodes = {} as const
