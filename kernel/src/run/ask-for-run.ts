import { LabError, path, readAnswer, routes, Run, type RunCreate } from '@community-lab/contract'
import { currentDisplay } from '../display/current.ts'
import type { Session } from '../session.ts'
import { orAborted } from '../wait/signal.ts'

/** How long an interrupted call waits until what it has started is cancelled, in milliseconds. Cancelling goes on after that. */
const undoWaitMs = 1_000

/** A run as the server has answered, and whether this request has made it. */
interface Answer {
  readonly run: Run
  readonly isNew: boolean
}

/**
 * Ask for a run of a slice. When the signal is aborted, such as by an interrupt of the cell, before the server has answered, the caller never gets the run. So the run that this request has made is
 * cancelled, and a run that existed before goes on; the notebook shows which. A kernel that is killed cancels nothing.
 */
export async function askForRun(
  session: Session,
  { sliceId, body, signal }: { sliceId: number; body: RunCreate; signal: AbortSignal },
): Promise<Run> {
  signal.throwIfAborted()
  const asking = send(session, sliceId, body)
  try {
    return (await orAborted(asking, signal)).run
  } catch (error) {
    if (!signal.aborted || session.signal.aborted) throw error
    const undone = undo(session, body.name, asking)
    await orAborted(undone, AbortSignal.timeout(undoWaitMs)).catch(() =>
      tell(body.name, 'it is cancelled if the server starts it'),
    )
    throw error
  }
}

/** Send the request. It is not taken back with the call: the server may do what it asks for nevertheless. */
async function send(session: Session, sliceId: number, body: RunCreate): Promise<Answer> {
  const url = path(routes.sliceRuns, { id: sliceId })
  const answer = await session.http.open(url, {
    ...{ method: 'POST', body, accept: 'application/json', signal: session.signal },
  })
  const { statusCode: status } = answer
  const read = { url: session.http.url + url, status, body: await answer.body.text() }
  return { run: readAnswer(Run, read), isNew: status === 201 }
}

/** Cancel the run that a request has made. */
async function undo(session: Session, name: string, asking: Promise<Answer>): Promise<void> {
  const answer = await asking.catch(() => null)
  // The server has refused it, or cannot be reached.
  if (answer === null) return
  const { run, isNew } = answer
  if (!isNew) {
    tell(name, 'it was started before, and goes on')
    return
  }
  try {
    const { signal } = session
    await session.http.tell(path(routes.runCancel, { id: run.id }), { method: 'POST', signal })
    tell(name, 'it was cancelled, because it had just been started by this call')
  } catch (error) {
    if (!LabError.is(error)) return
    tell(name, `it was started, and could not be cancelled (${error.message})`)
  }
}

function tell(name: string, what: string): void {
  const text = `run ${name}: the call was interrupted; ${what}; await lab.runs.get('${name}') gets it`
  currentDisplay().display({ 'text/plain': text })
}
