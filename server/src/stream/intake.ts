/** Options of {@link createIntake}. */
export interface IntakeOptions {
  /** The most bytes of all streams together that wait for their commit. */
  readonly maxBytes: number
  /** The most bytes of one stream that wait for their commit. */
  readonly maxStreamBytes: number
  /** The longest turn of a stream, in milliseconds, so that others do not wait for a slow link. */
  readonly turnMs: number
}

/** The connection of a stream, which the intake can pause and resume. */
export interface Valve {
  pause(): void
  resume(): void
}

/** The part of one stream in the intake. */
export interface StreamIntake {
  /** Count bytes that have come from the network. */
  read(bytes: number): void
  /** A message of this many bytes is complete. Call the returned function when it is committed or given up. */
  take(bytes: number): () => void
  /** Remove the stream after it has ended. */
  leave(): void
}

/**
 * Limits the memory that all streams together take in the server. Below `maxBytes`, all streams are read. Above it, each stream that sends more is held: it is not read, so TCP
 * makes its node wait, and the samples stay in the node's spool. As commits free memory, held streams take turns, in the order in which they were held. In its turn a
 * stream is read until its message is complete. So the memory is little more than `maxBytes` and one read of each stream, 64 KiB.
 */
export interface Intake {
  join(valve: Valve): StreamIntake
  /** Hold all streams until this is false again. */
  hold(isHeld: boolean): void
  /** The bytes of all streams that wait now. */
  readonly bytes: number
}

/**
 * After a message, a rest of a read below this size may be frame headers, which messages do not count. Source: RFC 6455 section 5.2, 14 bytes a frame at most.
 */
const headerBytes = 1024

interface Stream {
  readonly valve: Valve
  /** Bytes of messages that wait for their commit. */
  waitingBytes: number
  /** Bytes of a message that is not complete yet. */
  partBytes: number
  isHeld: boolean
  /** The timer that ends the turn of the stream; null when it has no turn. */
  turn: NodeJS.Timeout | null
}

/** The bytes that are reserved for the message of a stream in its turn. Source: agents end a batch at half a MiB. */
const turnBytes = 512 * 1024

/** Make the intake. */
export function createIntake({ maxBytes, maxStreamBytes, turnMs }: IntakeOptions): Intake {
  let waitingBytes = 0
  let partBytes = 0
  let turns = 0
  let isClosed = false
  // In the order in which they were held.
  const held = new Set<Stream>()

  function holdIfFull(stream: Stream): void {
    if (stream.isHeld || stream.turn !== null) return
    const isFull = waitingBytes + partBytes >= maxBytes || stream.waitingBytes >= maxStreamBytes
    if (!isClosed && !isFull) return
    stream.isHeld = true
    held.add(stream)
    stream.valve.pause()
    giveTurns()
  }

  function giveTurns(): void {
    if (isClosed) return
    for (const stream of held) {
      const taken = waitingBytes + turns * turnBytes
      if (taken > 0 && taken + turnBytes > maxBytes) return
      if (stream.waitingBytes >= maxStreamBytes) continue
      held.delete(stream)
      stream.isHeld = false
      turns++
      stream.turn = setTimeout(() => {
        endTurn(stream)
        giveTurns()
      }, turnMs)
      stream.valve.resume()
    }
  }

  function endTurn(stream: Stream): void {
    if (stream.turn === null) return
    clearTimeout(stream.turn)
    stream.turn = null
    turns--
  }

  function setPart(stream: Stream, bytes: number): void {
    partBytes += bytes - stream.partBytes
    stream.partBytes = bytes
  }

  return {
    join(valve) {
      const stream: Stream = { valve, waitingBytes: 0, partBytes: 0, isHeld: false, turn: null }
      let lastReadBytes = 0
      return {
        read(bytes) {
          lastReadBytes = bytes
          setPart(stream, stream.partBytes + bytes)
          holdIfFull(stream)
        },
        take(bytes) {
          // The rest belongs to the next message and came with the last read. Headers of frames are not counted.
          const rest = Math.min(stream.partBytes - bytes, lastReadBytes)
          setPart(stream, rest < headerBytes ? 0 : rest)
          stream.waitingBytes += bytes
          waitingBytes += bytes
          endTurn(stream)
          holdIfFull(stream)
          let isDone = false
          return () => {
            if (isDone) return
            isDone = true
            stream.waitingBytes -= bytes
            waitingBytes -= bytes
            giveTurns()
          }
        },
        leave() {
          held.delete(stream)
          setPart(stream, 0)
          endTurn(stream)
          giveTurns()
        },
      }
    },
    hold(isHeld) {
      isClosed = isHeld
      giveTurns()
    },
    get bytes() {
      return waitingBytes + partBytes
    },
  }
}
