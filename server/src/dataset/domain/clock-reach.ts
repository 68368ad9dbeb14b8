/** The clock of a node that is off by more than this, in seconds, is not followed: what it has told of a day is looked for within a day of it. */
export const maxMarginS = 86_400
/** What is read of clocks before and after the samples, in milliseconds. An agent that runs tells of its clock each minute. */
export const clockReachMs = 3_600_000
