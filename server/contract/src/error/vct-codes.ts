/** Codes of the vct. */
export const vctCodes = {} as const
