import { Session } from 'node:inspector'
import { Socket } from 'node:net'
import process from 'node:process'
import { childFds } from './protocol.ts'

/*
 * A thread beside the one that runs cells. A cell that computes without a pause hears nothing: the kernel then writes to this thread's pipe,
 * and it ends what the main thread executes. When the kernel has gone, it ends the process.
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
