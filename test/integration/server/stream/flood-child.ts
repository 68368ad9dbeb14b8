import { startApp } from '../telemetry/app.ts'

// A server in a process of its own, which tells its port and then, on each line that comes, how much memory it has had at most since the line before.
const [dir = ''] = process.argv.slice(2)
const server = await startApp(dir, { telemetry: { memoryMiB: 64, commitDelayMs: 20 } })
let mostBytes = 0
const timer = setInterval(() => {
  mostBytes = Math.max(mostBytes, process.memoryUsage.rss())
}, 20)
process.stdin.on('data', () => {
  process.stdout.write(`${mostBytes}\n`)
  mostBytes = process.memoryUsage.rss()
})
process.stdin.on('end', () => {
  clearInterval(timer)
  void server[Symbol.asyncDispose]()
})
process.stdout.write(`${server.port}\n`)
