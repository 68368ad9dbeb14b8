/** The shortest password, in characters. Source: NIST SP 800-63B-4, section 3.1.1.2: 15 where the password is the only factor, and no rules of composition. */
const shortestPassword = 15
const longestPassword = 256

/** The user whose password it becomes. */
export interface PasswordOwner {
  readonly name: string
  readonly email: string | null
}

/** Say why a password cannot be taken; null when it can. */
export function findWeakness(password: string, { name, email }: PasswordOwner): string | null {
  const length = Array.from(password).length
  if (length < shortestPassword)
    return `it has ${length} characters, and must have at least ${shortestPassword}`
  if (length > longestPassword)
    return `it has ${length} characters, and may have at most ${longestPassword}`
  if (new Set(password).size < 5) return 'it repeats the same few characters'
  const lowered = password.toLowerCase()
  const mailbox = email?.split('@')[0]
  for (const known of [name, email, mailbox])
    if (
      known !== undefined &&
      known !== null &&
      known.length > 3 &&
      lowered.includes(known.toLowerCase())
    )
      return 'it contains your name or e-mail address'
  return null
}
