import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { buildCommand, type Argument } from '../../../../kernel/src/ssh/quote.ts'
import { placeAtEnd } from '../../../../kernel/src/ssh/shell-place.ts'

const sh = (strings: TemplateStringsArray, ...values: readonly Argument[]) =>
  buildCommand(strings, values)

const run = (command: string) => execFileSync('sh', ['-c', command], { encoding: 'utf8' })

it('takes a value where a word may begin, whatever its characters and surroundings', () => {
  const value = `a 'b' "c" $HOME`
  const commands = [
    sh`printf %s ${value}`,
    sh`printf %s "$(printf %s ${value})"`,
    sh`x='#' y="a'b"; printf %s ${value} # it's`,
    sh`printf %s a#'b' >/dev/null; printf %s ${value}`,
    sh`cat <<END >/dev/null
it's "
END
printf %s ${value}`,
    sh`cat <<'END' <<-OTHER >/dev/null
"$(
END
	'
	OTHER
printf %s ${value}`,
    sh`cat <<END
$(printf %s ${value})
END`,
    sh`echo $((1 << 2)) >/dev/null; printf %s ${value}`,
    sh`(printf %s ${value})`,
    sh`printf '%s' \\ >/dev/null; printf %s ${value}`,
  ]
  for (const command of commands) expect(run(command).trimEnd()).toBe(value)
})

it('refuses a text where the shell would take it for something else, and says what to write', () => {
  const x = 'a b'
  expect(() => sh`echo "hello ${x}"`).toThrow(/value 1 .* in double quotes.*'Hello ' \+ name/u)
  expect(() => sh`echo '${x}'`).toThrow(/single quotes/u)
  expect(() => sh`echo ${x} "\${y:-${x}}"`).toThrow(/value 2 .* double quotes/u)
  expect(() => sh`echo "$(echo "${x}")"`).toThrow(/double quotes/u)
  expect(
    () => sh`cat > f <<EOF
a=${x}
EOF`,
  ).toThrow(/here-document.*input: text/u)
  expect(
    () => sh`cat > f <<-'EOF'
	a=${[x]}
	EOF`,
  ).toThrow(/here-document/u)
  expect(() => sh`echo \`cat ${x}\``).toThrow(/backticks.*\$\(/u)
  expect(() => sh`true # ${x}`).toThrow(/a comment/u)
  expect(() => sh`echo \\${x}`).toThrow(/a backslash/u)
  expect(() => sh`echo $${x}`).toThrow(/variable/u)
})

it('takes numbers and booleans everywhere, because they have no quotes', () => {
  expect(run(sh`echo "n=${-3} ${true}" '${1e-7}'`)).toBe('n=-3 true 1e-7\n')
})

it('knows that a backslash joins lines of a here-document before the shell looks for its end', () => {
  expect(placeAtEnd('cat <<E\na\\\nE\n')).toBe('a here-document')
  expect(placeAtEnd('cat <<E\na\\\\\nE\n')).toBe('code')
  expect(placeAtEnd("cat <<'E'\na\\\nE\n")).toBe('code')
  expect(placeAtEnd('cat <<E\n\\\nE\n')).toBe('code')
})

it('takes no value after a here-document that leaves backticks open, because shells disagree about its end', () => {
  expect(placeAtEnd('cat <<E\n`date\nE\n')).toBe('backticks')
  expect(placeAtEnd('cat <<E\n`date`\nE\n')).toBe('code')
  expect(placeAtEnd('cat `cat <<E\n$(echo ')).toBe('backticks')
})

it('agrees with the shell about where a word may begin', () => {
  const piece = fc.constantFrom(
    ...[
      "'",
      '"',
      '\\',
      ' ',
      'a',
      '#',
      '\n',
      '$(echo ',
      ')',
      '${u:-',
      '}',
      '(',
      ';',
      ':',
      '`',
      '<<E\n',
      '\nE\n',
    ],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const before = pieces.join('')
      if (placeAtEnd(before) !== 'code') return
      // Where a word may begin, a quoted text with all kinds of quotes adds no syntax: the shell refuses it only when it refuses a plain word too.
      const check = (word: string) => {
        try {
          execFileSync('sh', ['-n', '-c', `${before}${word}`], { stdio: 'ignore' })
          return true
        } catch {
          return false
        }
      }
      expect(check(`' " $( \` '`)).toBe(check('word'))
    }),
    { numRuns: 150 },
  )
})
