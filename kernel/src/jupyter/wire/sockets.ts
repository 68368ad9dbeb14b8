import { setImmediate } from 'node:timers/promises'
import { Reply, Router, XPublisher, type MessageLike } from 'zeromq'
import { addressOf, type Connection } from './connection.ts'
import { createBroadcast, type Message } from './message.ts'
import { createSigner, type Signer } from './signing.ts'

/** The channels that requests come in by. */
export type RequestChannel = 'shell' | 'control' | 'stdin'

/** The kernel's five sockets, bound. */
export interface Sockets {
  /** Queue a message; those of one channel leave in the order in which they were queued. */
  send(channel: RequestChannel | 'iopub', message: Message): void
  /** Send all that is queued, then close. */
  close(): Promise<void>
}

/** What {@link openSockets} needs. */
export interface SocketsOptions {
  readonly connection: Connection
  /** Called for each message whose signature is right; others are dropped. */
  onMessage(channel: RequestChannel, message: Message): void
}

/** The most bytes of one part of a message. ZeroMQ parts with a sender of more, before it is read: who cannot sign must not fill the memory. */
const maxPartBytes = 256 * 1024 * 1024

/** How long a closed socket may still send what ZeroMQ has taken over. */
const lingerMs = 1000

/** How many turns of the event loop output waits for subscriptions: who sends them without an end must not hold it up for ever. */
const maxWelcomingTurns = 100

/** How many messages are sent before the event loop has a turn: a flood of output must not keep requests from being read. */
const maxSentAtOnce = 256

/** Bind the sockets that the connection file names and start to receive. */
export async function openSockets({ connection, onMessage }: SocketsOptions): Promise<Sockets> {
  const signer = createSigner(connection.key)
  // Without a high-water mark: the publisher drops what a slow reader has not taken, and output would be lost.
  const unlimited = { sendHighWaterMark: 0, linger: lingerMs }
  const bounded = { ...unlimited, maxMessageSize: maxPartBytes }
  const routers = {
    shell: new Router(bounded),
    control: new Router(bounded),
    stdin: new Router(bounded),
  }
  // Each reader is told that it is heard, also one that asks for what another has asked for.
  const iopub = new XPublisher({
    ...bounded,
    verbosity: 'allSubs',
    // A publisher never has to wait. With a time to wait, ZeroMQ would take in subscriptions right before each message, and not only at a look.
    sendTimeout: 0,
  })
  const hb = new Reply({ linger: 0, maxMessageSize: maxPartBytes })
  await Promise.all([
    routers.shell.bind(addressOf(connection, 'shell')),
    routers.control.bind(addressOf(connection, 'control')),
    routers.stdin.bind(addressOf(connection, 'stdin')),
    iopub.bind(addressOf(connection, 'iopub')),
    hb.bind(addressOf(connection, 'hb')),
  ])
  for (const channel of ['shell', 'control', 'stdin'] as const)
    void receive(routers[channel], signer, (message) => onMessage(channel, message))
  void echo(hb)
  const senders = {
    shell: createSender(routers.shell),
    control: createSender(routers.control),
    stdin: createSender(routers.stdin),
    iopub: createSender(iopub, () => untilWelcomed(iopub)),
  }
  void welcome(iopub, (message) => senders.iopub.sendFirst(signer.encode(message)))
  return {
    send: (channel, message) => senders[channel].send(signer.encode(message)),
    async close() {
      await Promise.all(Object.values(senders).map((sender) => sender.drained()))
      for (const socket of [...Object.values(routers), iopub, hb]) socket.close()
    },
  }
}

async function receive(
  router: Router,
  signer: Signer,
  onMessage: (message: Message) => void,
): Promise<void> {
  for await (const frames of router) {
    const message = signer.decode(frames)
    if (message !== null) onMessage(message)
  }
}

/**
 * Tell each new reader that what is published from now on reaches it.
 *
 * Source: Jupyter Enhancement Proposal 65 for `iopub_welcome`; ZeroMQ's RFC 29 for the frame: a byte 1, then the topic.
 */
async function welcome(iopub: XPublisher, send: (message: Message) => void): Promise<void> {
  for await (const [frame] of iopub) {
    if (frame?.[0] !== 1) continue
    const subscription = frame.subarray(1)
    const content = { subscription: subscription.toString() }
    const message = createBroadcast(null, { type: 'iopub_welcome', content })
    send({ ...message, identities: [subscription] })
  }
}

/**
 * Wait until each reader whose subscription has come in is welcomed. ZeroMQ takes subscriptions in whenever it sends; a reader would then get what
 * is sent before its welcome.
 */
async function untilWelcomed(iopub: XPublisher): Promise<void> {
  for (let turn = 0; iopub.readable && turn < maxWelcomingTurns; turn += 1) {
    // Nothing is sent by this, but it wakes the pending receive: to ask for `readable` took the event that would have.
    await iopub.send([])
    await setImmediate()
  }
}

async function echo(hb: Reply): Promise<void> {
  for await (const frames of hb) await hb.send(frames)
}

/**
 * One ordered sender per socket: ZeroMQ fails with EBUSY when a second send starts before the first has ended.
 * @param beforeEach is waited for before each message is taken from the queue
 */
function createSender(
  socket: { send(frames: MessageLike[]): Promise<void> },
  beforeEach?: () => Promise<void>,
): {
  send(frames: Buffer[]): void
  /** Send before all that is queued. */
  sendFirst(frames: Buffer[]): void
  drained(): Promise<void>
} {
  const queue: Buffer[][] = []
  let running: Promise<void> | null = null
  const run = async (): Promise<void> => {
    await beforeEach?.()
    let sent = 0
    for (let frames = queue.shift(); frames !== undefined; frames = queue.shift()) {
      await socket.send(frames)
      sent += 1
      if (sent % maxSentAtOnce === 0) await setImmediate()
      await beforeEach?.()
    }
    running = null
  }
  const start = (): void => {
    running ??= run()
  }
  return {
    send(frames) {
      queue.push(frames)
      start()
    },
    sendFirst(frames) {
      queue.unshift(frames)
      start()
    },
    drained: () => running ?? Promise.resolve(),
  }
}
