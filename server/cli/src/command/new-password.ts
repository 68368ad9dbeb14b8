import { LabError } from '@community-lab/contract'
import type { Context } from '../context.ts'

/**
 * Ask for a new password twice, after other secrets. Returns the password and the other secrets, in their order.
 *
 * @throws {@link LabError} LAB_CLI_USAGE when the two differ.
 */
export async function askNewPassword(
  { askSecrets }: Pick<Context, 'askSecrets'>,
  others: readonly string[],
): Promise<{ readonly password: string; readonly others: readonly string[] }> {
  const secrets = await askSecrets([...others, 'New password', 'New password again'])
  const [password, again] = secrets.slice(others.length)
  if (password === undefined || password !== again)
    throw new LabError('LAB_CLI_USAGE', { problem: 'the new password is not twice the same' })
  return { password, others: secrets.slice(0, others.length) }
}
