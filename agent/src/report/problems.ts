import type { MemberError } from '@community-lab/contract'

/** What is wrong with the node besides its slivers' own errors, by subject. It is told in the node's report until it is cleared. */
export interface NodeProblems {
  /** Note what is wrong with a subject, in place of what was noted of it before. */
  set(subject: string, problem: MemberError): void
  /** Nothing is wrong with a subject any more. */
  clear(subject: string): void
  list(): readonly MemberError[]
  /** Call back when the list has changed. Returns the unsubscriber. */
  onChange(listener: () => void): () => void
}

/** Begin without any problem. */
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
