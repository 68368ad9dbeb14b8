import process from 'node:process'
import { takeLock } from '../../../../server/vct/src/pod/lock.ts'

/** Takes the lock of a home and keeps it until it is killed. Arguments: home, hash, state. */
const [home = '', hash = '', state = ''] = process.argv.slice(2)
await takeLock({ home, hash }, { state: state === 'sweeping' ? state : 'running', url: 'http://x' })
process.stdout.write('held\n')
