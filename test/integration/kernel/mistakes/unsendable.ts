import type { Mistakes } from './mistake.ts'

const half = 'a\ud800b'
const isHalf = /half a character \(a lone surrogate\)/u

/** What is sent as UTF-8 must have a form there; a number must be the one that was meant. */
export const unsendable: Mistakes = {
  'half a character in a name': [
    ({ lab }) => lab.slices.ensure(half, { template: 'tiny', nodes: ['n1'] }),
    isHalf,
  ],
  'half a character in a description': [
    ({ lab }) => lab.slices.ensure('x', { template: 'tiny', nodes: ['n1'], description: half }),
    isHalf,
  ],
  'half a character in a node’s name': [
    ({ lab }) => lab.slices.ensure('x', { template: 'tiny', nodes: [half] }),
    isHalf,
  ],
  'half a character in a property': [
    ({ lab }) => lab.nodes.find({ properties: { a: half } }),
    isHalf,
  ],
  'half a character in a command': [({ first }) => first().exec(`echo ${half}`), isHalf],
  'half a character in an argument': [({ first }) => first().exec(['echo', half]), isHalf],
  'half a character in a value': [({ first }) => first().sh`echo ${half}`, isHalf],
  'half a character in an item of a value': [
    ({ first }) => first().sh`echo ${['a', half]}`,
    isHalf,
  ],
  'half a character in a template': [({ first }) => first().sh`echo \ud800`, isHalf],
  'half a character in an input': [({ first }) => first().exec('cat', { input: half }), isHalf],
  'half a character in a variable': [
    ({ first }) => first().exec('env', { env: { A: half } }),
    isHalf,
  ],
  'half a character in a folder': [({ first }) => first().exec('true', { cwd: half }), isHalf],
  'half a character in a file': [({ slice }) => slice.upload({ a: half }, '/tmp'), isHalf],
  'half a character in the name of a file': [
    ({ slice }) => slice.upload({ [half]: '' }, '/tmp'),
    isHalf,
  ],
  'half a character in the name of a folder': [
    ({ slice }) => slice.upload({ a: '' }, half),
    isHalf,
  ],
  'half a character in a path': [({ first, dir }) => first().download(half, dir), isHalf],
  'half a character in a script': [({ slice }) => slice.run('x', { script: half }), isHalf],
  'half a character in an argument of a script': [
    ({ slice }) => slice.run('x', { script: 'true', args: [half] }),
    isHalf,
  ],
  'half a character in a file of a script': [
    ({ slice }) => slice.run('x', { script: 'true', files: { a: half } }),
    isHalf,
  ],
  'half a character in the name of a measurement': [({ run }) => run.rows(half), isHalf],
  'NaN for a script': [
    ({ slice }) => slice.run('x', { script: 'true', args: [Number.NaN] }),
    /^args is \[null\]; expected .*finite number/u,
  ],
  'an integer for a script that a number does not hold': [
    ({ slice }) => slice.run('x', { script: 'true', args: [2 ** 53] }),
    /integer beyond 2\^53 as a bigint or a text/u,
  ],
  'an integer in a command that a number does not hold': [
    ({ first }) => first().sh`echo ${2 ** 64}`,
    /^value 1 of the command is 18446744073709552000; expected .* as a bigint or a text/u,
  ],
}
