import type { MemberError } from '@community-lab/contract'

/** The problems of the node besides its slivers' own errors, by subject. A problem is in the node's report until it is cleared. */
export interface NodeProblems {
  /** Set the problem of a subject. It replaces the previous one. */
  set(subject: string, problem: MemberError): void
  /** Clear the problem of a subject. */
  clear(subject: string): void
  list(): readonly MemberError[]
  /** Call the listener when the list has changed. Returns the unsubscriber. */
  onChange(listener: () => void): () => void
}

/** Make an empty list of problems. */
export function createNodeProblems(): NodeProblems {
  const problems = new Map<string, MemberError>()
  const listeners = new Set<() => void>()
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  return {
    set(subject, problem) {
      const before = problems.get(subject)
      problems.set(subject, problem)
      if (before?.message !== problem.message || before.member !== problem.member) tell()
    },
    clear(subject) {
      if (problems.delete(subject)) tell()
    },
    list: () => [...problems.values()],
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
