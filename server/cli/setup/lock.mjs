// @ts-check
import { createHash } from 'node:crypto'
import { realpathSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SetupStopped } from './failure.mjs'

/**
 * Take the lock of a checkout's set-up. Wait while another process has it. The lock is a listening socket (on Linux an abstract one), so it
 * disappears when its process ends in any way, and waiting processes notice this by the end of their connection.
 * @param {string} root the checkout
 * @param {{ signal: AbortSignal, onWait: (pid: string) => void }} options
 * @returns {Promise<() => void>} releases the lock
 */
export async function holdLock(root, options) {
  const address = lockAddress(root)
  for (;;) {
    if (options.signal.aborted) throw new SetupStopped()
    const release = await tryListen(address)
    if (release !== null) return release
    await waitForEnd(address, options)
  }
}

/** @param {string} root */
function lockAddress(root) {
  const id = createHash('sha256').update(realpathSync(root)).digest('hex').slice(0, 16)
  return process.platform === 'linux'
    ? `\0community-lab-setup-${id}`
    : join(tmpdir(), `community-lab-setup-${id}.sock`)
}

/** @param {string} address @returns {Promise<(() => void) | null>} */
function tryListen(address) {
  /** @type {Set<import('node:net').Socket>} */
  const waiting = new Set()
  const server = createServer((socket) => {
    waiting.add(socket)
    socket.on('close', () => waiting.delete(socket))
    // A process that stops waiting does not disturb the holder.
    socket.on('error', () => socket.destroy())
    socket.write(`${process.pid}\n`)
  })
  return new Promise((resolve, reject) => {
    server.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    )
    server.listen(address, () => {
      server.unref()
      resolve(() => {
        server.close()
        for (const socket of waiting) socket.destroy()
      })
    })
  })
}

/**
 * @param {string} address @param {{ signal: AbortSignal, onWait: (pid: string) => void }} options
 * @returns {Promise<void>}
 */
function waitForEnd(address, { signal, onWait }) {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    const stop = () => socket.destroy(new SetupStopped())
    signal.addEventListener('abort', stop, { once: true })
    socket.on('data', (data) => onWait(String(data).trim()))
    socket.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error instanceof SetupStopped) reject(error)
      // Nobody listens on this socket file, because its holder was killed.
      else if (error.code === 'ECONNREFUSED' && !address.startsWith('\0'))
        rmSync(address, { force: true })
    })
    socket.on('close', () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
  })
}
