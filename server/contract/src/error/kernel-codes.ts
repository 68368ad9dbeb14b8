/** Codes of the kernel. */
export const kernelCodes = {} as const
