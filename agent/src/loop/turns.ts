/** Take turn after turn until the signal ends it; then whatever a turn throws is the end it was told to come to. */
export async function takeTurns(signal: AbortSignal, turn: () => Promise<void>): Promise<void> {
  const isOver = (): boolean => signal.aborted
  while (!isOver()) {
    try {
      await turn()
    } catch (error) {
      if (!isOver()) throw error
    }
  }
}
