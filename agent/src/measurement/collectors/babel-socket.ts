import { createConnection } from 'node:net'

/** The most that is read of an answer, in bytes: some 6,000 routes. */
const maxAnswerBytes = 1024 * 1024
/** The most time for an answer, in milliseconds. babeld answers between two of its other tasks. */
const answerWithinMs = 5_000

/**
 * Ask babeld for all that it knows, over its socket for readers (`-g`, or `local-path` in its configuration). The connection changes nothing in babeld, and is closed
 * after the answer.
 *
 * @throws when there is no babeld, and when its answer is too long or comes too late.
 */
export function askBabel(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath)
    const parts: string[] = []
    let bytes = 0
    /** babeld ends its greeting and each answer with `ok`. */
    let oks = 0
    let line = ''
    const end = (error: Error | null): void => {
      clearTimeout(timer)
      socket.destroy()
      if (error === null) resolve(parts.join(''))
      else reject(error)
    }
    const timer = setTimeout(
      () => end(new Error(`babeld has not answered within ${answerWithinMs / 1000} s`)),
      answerWithinMs,
    )
    socket.setEncoding('utf8')
    socket.on('error', end)
    socket.on('close', () => end(new Error('babeld has closed its socket before its answer ended')))
    socket.on('data', (text: string) => {
      bytes += text.length
      if (bytes > maxAnswerBytes) {
        end(new Error(`babeld says more than ${maxAnswerBytes} bytes`))
        return
      }
      parts.push(text)
      const lines = `${line}${text}`.split('\n')
      line = lines.pop() ?? ''
      for (const each of lines) {
        if (each === 'bad' || each.startsWith('no')) {
          end(new Error(`babeld refuses: ${each.slice(0, 80)}`))
          return
        }
        if (each !== 'ok') continue
        oks++
        if (oks === 1) socket.write('dump\n')
        else if (oks === 2) end(null)
      }
    })
  })
}
