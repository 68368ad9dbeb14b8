/** Codes of the agent. */
export const agentCodes = {} as const
