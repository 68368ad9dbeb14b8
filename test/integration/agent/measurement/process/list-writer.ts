/** Writes the list of a test: path, serial, and the entries as JSON. */
import { writeList } from '../../../../../agent/src/measurement/catcher/list-files.ts'

const [path = '', serial, entries = ''] = process.argv.slice(2)
writeList(path, {
  serial: Number(serial),
  writer: 'boot',
  entries: new Map(JSON.parse(entries) as [string, string][]),
})
