import { setImmediate } from 'node:timers/promises'
import { Reply, Router, XPublisher, type MessageLike } from 'zeromq'
import { addressOf, type Connection } from './connection.ts'
import { createBroadcast, type Message } from './message.ts'
import { createSigner, type Signer } from './signing.ts'

/** The channels on which requests arrive. */
export type RequestChannel = 'shell' | 'control' | 'stdin'

/** The kernel's five sockets, after they were bound. */
export interface Sockets {
  /** Queue a message. Messages of one channel are sent in the order in which they were queued. */
  send(channel: RequestChannel | 'iopub', message: Message): void
  /** Send all queued messages, then close. */
  close(): Promise<void>
}

/** Options of {@link openSockets}. */
export interface SocketsOptions {
  readonly connection: Connection
  /** Called for each message with a valid signature. Other messages are dropped. */
  onMessage(channel: RequestChannel, message: Message): void
}

/** The largest part of a message, in bytes. ZeroMQ disconnects a sender of more before reading it, so a sender that cannot sign does not fill the memory. */
const maxPartBytes = 256 * 1024 * 1024

/** How long ZeroMQ may go on sending after a socket was closed, in milliseconds. */
const lingerMs = 1000

/** The most turns of the event loop that output waits for subscriptions. A client that subscribes without an end must not block it for ever. */
const maxWelcomingTurns = 100

/** After this many messages, the event loop gets a turn, so that a flood of output does not keep the kernel from reading requests. */
const maxSentAtOnce = 256

/** Bind the sockets of the connection file and begin to receive. */
export async function openSockets({ connection, onMessage }: SocketsOptions): Promise<Sockets> {
  const signer = createSigner(connection.key)
  // No high-water mark: a PUB socket drops messages that a slow subscriber has not received yet, and output would be lost.
  const unlimited = { sendHighWaterMark: 0, linger: lingerMs }
  const bounded = { ...unlimited, maxMessageSize: maxPartBytes }
  const routers = {
    shell: new Router(bounded),
    control: new Router(bounded),
    stdin: new Router(bounded),
  }
  // `allSubs` reports each subscription, also one to a topic that is subscribed already.
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
 * Tell each new subscriber that it receives whatever is published from now on.
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
 * Wait until every subscriber whose subscription has arrived was welcomed. ZeroMQ processes subscriptions whenever it sends, so a subscriber would otherwise
 * receive messages before its welcome.
 */
async function untilWelcomed(iopub: XPublisher): Promise<void> {
  for (let turn = 0; iopub.readable && turn < maxWelcomingTurns; turn += 1) {
    // This sends nothing, but it wakes the pending receive. Reading `readable` consumed the event that would have woken it.
    await iopub.send([])
    await setImmediate()
  }
}

async function echo(hb: Reply): Promise<void> {
  for await (const frames of hb) await hb.send(frames)
}

/**
 * Create the sender of a socket. There is only one for each socket: ZeroMQ fails with EBUSY when a second send starts before the first has ended.
 *
 * @param beforeEach awaited before each message is taken from the queue
 */
function createSender(
  socket: { send(frames: MessageLike[]): Promise<void> },
  beforeEach?: () => Promise<void>,
): {
  send(frames: Buffer[]): void
  /** Put a message before all queued ones. */
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
