import { writeSync } from 'node:fs'
import path from 'node:path'
import { ensureSshKey } from '../../../../kernel/src/credentials/ssh-key.ts'
import { takeCredentials } from '../../../../kernel/src/credentials/credentials.ts'
import { SampleDatabase } from '../../../../kernel/src/run/database.ts'
import { openSession } from '../../../../kernel/src/session.ts'

/** Query times of a database in the time zone of this process: `node time-program.ts URL FOLDER`. */
const [, , url = '', folder = ''] = process.argv
const credentials = takeCredentials({ url, token: 'operator' })
const session = openSession(credentials, ensureSshKey(path.join(folder, 'keys')))
const database = new SampleDatabase(session, { scope: 'node' })
const query = (strings: TemplateStringsArray, ...values: readonly Date[]) =>
  database.query(strings, values)
const answer = {
  zone: new Date(0).getHours(),
  future: await query`select seq from probe where time > now()`,
  recent: await query`select seq from probe where time > now() - interval '5 minutes' order by seq`,
  since:
    await query`select seq from probe where time >= ${new Date('2026-01-01T00:30:00Z')} and time < ${new Date('2026-01-01T01:30:00Z')}`,
  day: await query`select count(*) as n from probe where time::date = date '2026-01-01'`,
  hour: await query`select extract(hour from time) as hour, date_trunc('day', time) as day, time::varchar as text from probe where seq = 1`,
  today: await query`select count(*) as n from probe where time >= today()`,
  date: await query`select today() = (now() at time zone 'UTC')::date as is_utc`,
}
// One write, because an answer of a few hundred bytes fits into the pipe.
writeSync(1, JSON.stringify(answer))
await session.close()
