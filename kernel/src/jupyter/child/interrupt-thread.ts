import { Session } from 'node:inspector'
import { Socket } from 'node:net'
import process from 'node:process'
import { childFds } from './protocol.ts'

/*
 * A thread beside the main thread, which runs cells. A cell that computes without a pause processes no messages. Then the kernel writes to this thread's pipe,
 * and this thread terminates what the main thread executes. When the kernel is gone, this thread ends the process.
 */
const session = new Session()
session.connectToMainThread()

const pipe = new Socket({ fd: childFds.interrupt })
pipe.on('data', () => session.post('Runtime.terminateExecution'))
pipe.on('error', end)
pipe.on('close', end)

function end(): void {
  process.kill(process.pid, 'SIGKILL')
}
