import path from 'node:path'
import { connect } from '../../../../kernel/src/connect.ts'
import { any, type Mistakes } from './mistake.ts'

const misspelt = any({ timeout: 5 })
const isMisspelt = /the options of \w+ is one with the name "timeout"; expected no others than/u

/** Calls that once looked at nothing. */
export const unchecked: Mistakes = {
  'credentials in a text': [
    () => connect(any('http://localhost')),
    /the options of connect is "http:\/\/localhost"; expected an object/u,
  ],
  'credentials that are null': [() => connect(any(null)), /options of connect is null/u],
  'an address that is an object': [
    () => connect({ url: any(new URL('http://localhost')), token: 'x' }),
    /^url is .*; expected a text/u,
  ],
  'a misspelt file of credentials': [
    () => connect(any({ credentials: '/tmp/x.json' })),
    /"credentials"; expected no others than url, token, credentialsFile/u,
  ],
  'arguments in place of options': [
    ({ slice }) => slice.exec('ping', any(['-c', '3'])),
    /options of a command is .*expected an object\. A program and its arguments are one list, as in exec\(\['ping'/u,
  ],
  'an end of a link that is none': [
    ({ virtual }) => virtual().cutLink(any(undefined), 'n2'),
    /name of a node at an end of the link is undefined/u,
  ],
  'a link of one end': [
    ({ virtual }) => virtual().restoreLink('n1', any({})),
    /end of the link is \{\}/u,
  ],
  'a clock that is no number': [
    ({ virtual }) => virtual().setClock('n1', any({ aheadS: '20' })),
    /how far the clock is ahead, in seconds is "20"; expected a finite number/u,
  ],
  'no node to act on': [({ virtual }) => virtual().node(any(5), 'stop'), /node's name is 5/u],
  'an action that no node knows': [
    ({ virtual }) => virtual().node('n1', any('halt')),
    /what to do to the node is "halt"; expected stop, cut, start, reboot, kill-agent/u,
  ],
  'an action that the server does not know': [
    ({ virtual }) => virtual().server(any('restart')),
    /what to do to the server is "restart"; expected/u,
  ],
  'a status with an option that there is not': [
    ({ virtual }) => virtual().status(misspelt),
    isMisspelt,
  ],
  'no measurement for Parquet': [
    ({ run, dir }) => run.parquet(any(undefined), path.join(dir, 'x.parquet')),
    /measurement is undefined/u,
  ],
  'no file for Parquet': [
    ({ run }) => run.parquet('rtt', any(undefined)),
    /file to write is undefined/u,
  ],
  'a file for Parquet with NUL': [
    ({ run, dir }) => run.parquet('rtt', `${dir}/a\0b`),
    /file to write is .*without a NUL character/u,
  ],
  'no folder to export to': [
    ({ run }) => run.export(any(undefined)),
    /folder to export to is undefined/u,
  ],
  'health without a folder': [
    async ({ lab }) => (await lab.health()).export(any({})),
    /folder to export to is \{\}/u,
  ],
  'what a manifest cannot say': [
    async ({ lab, dir }) => (await lab.health()).export(dir, { bound: Number.NaN }),
    /what the manifest says besides is \{"bound":null\}; expected .*finite numbers/u,
  ],
  'a manifest around itself': [
    async ({ lab, dir }) => {
      const about: Record<string, unknown> = {}
      about['about'] = { about }
      await (await lab.health()).export(dir, about)
    },
    /what the manifest says besides is an object; expected/u,
  ],
  'a misspelt bound of done': [({ run }) => run.done(misspelt), isMisspelt],
  'a misspelt bound of started': [({ slice }) => slice.started(misspelt), isMisspelt],
  'a misspelt option of output': [({ run }) => run.output(misspelt), isMisspelt],
  'a misspelt option of cancel': [({ run }) => run.cancel(misspelt), isMisspelt],
  'a misspelt option of rows': [({ run }) => run.rows('rtt', misspelt), isMisspelt],
  'a misspelt option of release': [({ slice }) => slice.release(misspelt), isMisspelt],
  'a misspelt option of renew': [({ slice }) => slice.renew(misspelt), isMisspelt],
  'a misspelt option of list': [({ lab }) => lab.slices.list(misspelt), isMisspelt],
  'a misspelt option of get': [({ lab }) => lab.slices.get('first', misspelt), isMisspelt],
  'a misspelt option of read': [({ first }) => first().read('/etc/hostname', misspelt), isMisspelt],
}
