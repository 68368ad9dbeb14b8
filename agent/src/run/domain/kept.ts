import { maxKeptBytes, maxKeptFiles } from '@community-lab/contract'

/** A file that a run was to keep. */
export interface KeptFile {
  /** Its path in the folder of the program; the pattern where no file fits it. */
  readonly path: string
  /** Its length in bytes; null: not known. */
  readonly bytes: number | null
  /** Why it was not kept; null: it was. */
  readonly problem: string | null
}

/** What {@link KeptReader} finds in the answer of {@link keepScript}. */
export type KeptPart =
  /** A file that is not kept. */
  | { readonly is: 'problem'; readonly file: KeptFile }
  /** A file begins. As many bytes of content follow. */
  | { readonly is: 'file'; readonly path: string; readonly bytes: number }
  | { readonly is: 'content'; readonly bytes: Uint8Array }
  /** There is no more. */
  | { readonly is: 'end' }

/**
 * Says which files fit patterns, and what is in them. It runs in the sliver, in the folder of the program, as a program of the sliver: it sees what those see, and nothing of the
 * host. Arguments: the most bytes, the most files, the patterns. Patterns such as `.*` do not lead to the folder above. The answer is in lines, so a newline in a name is written as another
 * character, and its file is not kept. A file is as long as it was when it was found, whatever its programs do meanwhile: it is cut, or filled with zeros.
 */
export const keepScript = `left=$1 files=$2; shift 2; IFS=; seen='
'
for pattern; do
  found=
  for file in ./$pattern; do
    [ -e "$file" ] || [ -L "$file" ] || continue
    case \${file#.}/ in */./* | */../*) continue ;; esac
    found=1
    case $file in *"
"*) [ "$files" -gt 0 ] && printf 'odd %s\\n' "$(printf %s "$file" | tr '\\n' '\\001')"; files=$((files - 1)); continue ;; esac
    case $seen in *"
$file
"*) continue ;; esac
    seen=$seen$file'
'
    [ "$files" -gt 0 ] || { printf 'many %s\\n' "$file"; break 2; }
    files=$((files - 1))
    if [ -L "$file" ] || [ ! -f "$file" ]; then printf 'other %s\\n' "$file"; continue; fi
    size=$(stat -c %s "$file" 2> /dev/null || wc -c < "$file")
    [ -n "$size" ] || { printf 'missing %s\\n' "\${file#./}"; continue; }
    if [ "$size" -gt "$left" ]; then printf 'large %s %s\\n' "$size" "$file"; continue; fi
    left=$((left - size))
    printf 'file %s %s\\n' "$size" "$file"
    { cat "$file"; cat /dev/zero; } 2> /dev/null | head -c "$size"
  done
  [ -n "$found" ] || printf 'missing %s\\n' "$pattern"
done
echo end
`

/** The most bytes of a line between the contents. Source: the most bytes of a path on Linux, PATH_MAX, and some. */
const maxHeadBytes = 4200
const newline = 10

/**
 * Reads the answer of {@link keepScript}. A sliver may answer anything, so nothing is believed: what is no answer throws, and more files or bytes than were allowed are none.
 */
export class KeptReader {
  readonly #seen = new Set<string>()
  #told = 0
  readonly #decoder = new TextDecoder()
  #head: number[] = []
  #leftInFile = 0
  #leftInAll = maxKeptBytes
  #isSkipped = false
  #isOver = false

  /** Read a part of the answer, wherever it is cut. @throws Error that says what is wrong with it. */
  read(bytes: Uint8Array): readonly KeptPart[] {
    const parts: KeptPart[] = []
    for (let at = 0; at < bytes.length && !this.#isOver;) {
      if (this.#leftInFile > 0) {
        const content = bytes.subarray(at, at + this.#leftInFile)
        this.#leftInFile -= content.length
        at += content.length
        if (!this.#isSkipped) parts.push({ is: 'content', bytes: content })
        continue
      }
      const byte = bytes[at++] ?? newline
      if (byte !== newline) {
        if (this.#head.push(byte) > maxHeadBytes) throw new Error('a line is too long')
        continue
      }
      const line = this.#decoder.decode(Uint8Array.from(this.#head))
      this.#head = []
      parts.push(this.#partOf(line))
    }
    return parts
  }

  #partOf(line: string): KeptPart {
    if (line === 'end') {
      this.#isOver = true
      return { is: 'end' }
    }
    const {
      word = '',
      size,
      path = '',
    } = /^(?<word>file|large) (?<size>\d{1,15}) \.\/(?<path>.+)$/su.exec(line)?.groups ??
    /^(?<word>other|odd|many) \.\/(?<path>.+)$/su.exec(line)?.groups ??
    /^(?<word>missing) (?<path>.+)$/su.exec(line)?.groups ??
    {}
    if (word === '') throw new Error('a line says nothing that is known')
    // Each pattern may be missing, besides as many files, and what comes after these is told once.
    if (this.#told++ > 2 * maxKeptFiles) throw new Error('it tells of too many files')
    // Names that are not UTF-8 may look alike. Their files are not kept.
    if (this.#seen.has(path) && isNamed(path)) throw new Error('it tells of a file twice')
    this.#seen.add(path)
    const bytes = size === undefined ? null : Number(size)
    const problem = problemOf(word, path)
    if (word === 'file') {
      this.#leftInFile = bytes ?? 0
      this.#leftInAll -= this.#leftInFile
      this.#isSkipped = problem !== null
      if (this.#leftInAll < 0) throw new Error('it has too many bytes')
    }
    if (problem !== null) return { is: 'problem', file: { path: shown(path), bytes, problem } }
    return { is: 'file', path, bytes: bytes ?? 0 }
  }
}

function problemOf(word: string, path: string): string | null {
  switch (word) {
    case 'missing':
      return 'there is no such file'
    case 'other':
      return 'it is no regular file; links, folders and devices are not kept'
    case 'large':
      return `it is too large; a run keeps at most ${maxKeptBytes} bytes on a sliver`
    case 'many':
      return `it, and what may come after it, is one too many; a run keeps at most ${maxKeptFiles} files on a sliver`
    default:
      return isNamed(path) ? null : 'its name has characters that no terminal shows, or is too long'
  }
}

/** The most characters of a path. */
const maxPathCharacters = 512

function isNamed(path: string): boolean {
  if (path.length > maxPathCharacters || /[\p{Cc}\p{Zl}\p{Zp}\ufffd]/u.test(path)) return false
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..')
}

function shown(path: string): string {
  return path.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '\ufffd').slice(0, maxPathCharacters)
}
