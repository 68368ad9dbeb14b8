import { argon2, randomBytes, timingSafeEqual, type Argon2Parameters } from 'node:crypto'
import { promisify } from 'node:util'
import { LabError } from '@community-lab/contract'

/** Hashes and checks passwords, few at once. */
export interface Passwords {
  /** Return what is stored of a password. @throws {@link LabError} LAB_AUTH_TOO_MANY_ATTEMPTS when too many wait. */
  hash(password: string): Promise<string>
  /** Tell whether a password is the stored one. It takes as long when nothing is stored. @throws {@link LabError} as `hash`. */
  check(password: string, stored: string | null): Promise<boolean>
}

const derive = promisify(argon2)
/** Memory in KiB. Source: OWASP, Password Storage Cheat Sheet, argon2id with 19 MiB, two passes and one lane. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 }
/** Source: RFC 9106, section 3.1: 16 bytes of salt; section 4: a tag of 32 bytes. */
const saltBytes = 16
const tagBytes = 32
/** A hash takes 19 MiB and one of Node's four threads for files. */
const atOnce = 2
const mostWaiting = 100
const busyForS = 5

/** Create the hasher. */
export function createPasswords(): Passwords {
  let running = 0
  const waiting: (() => void)[] = []
  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (waiting.length >= mostWaiting)
      throw new LabError('LAB_AUTH_TOO_MANY_ATTEMPTS', { of: 'server', retryAfterS: busyForS })
    if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      // The next one takes over this place.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
  // Nobody has this password. Checking it takes the time of a real one.
  const nobody = format({ ...cost, salt: randomBytes(saltBytes), tag: randomBytes(tagBytes) })
  return {
    hash: (password) =>
      inTurn(async () => {
        const salt = randomBytes(saltBytes)
        const tag = await derive('argon2id', parametersOf(password, { ...cost, salt }))
        return format({ ...cost, salt, tag })
      }),
    check: (password, stored) =>
      inTurn(async () => {
        const parts = parse(stored ?? nobody)
        const tag = await derive('argon2id', parametersOf(password, parts))
        return timingSafeEqual(tag, parts.tag) && stored !== null
      }),
  }
}

interface Hashed {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Buffer
  readonly tag: Buffer
}

/** Different keyboards send the same character in different forms. Source: NIST SP 800-63B-4, section 3.1.1.2: NFC or NFKC first. */
function parametersOf(password: string, hashed: Omit<Hashed, 'tag'>): Argon2Parameters {
  const { memory, passes, parallelism, salt } = hashed
  return {
    message: password.normalize('NFKC'),
    nonce: salt,
    memory,
    passes,
    parallelism,
    tagLength: tagBytes,
  }
}

/** Write it as text. Source: the reference implementation of Argon2 (PHC string format). */
function format({ memory, passes, parallelism, salt, tag }: Hashed): string {
  const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/u, '')
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`
}

function parse(stored: string): Hashed {
  const found = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/u.exec(stored)
  if (found === null)
    throw new LabError('LAB_INTERNAL', { what: 'a stored password is unreadable' })
  const [, memory, passes, parallelism, salt = '', tag = ''] = found
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
}
