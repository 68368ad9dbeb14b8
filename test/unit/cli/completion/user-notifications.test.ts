/* eslint-disable @typescript-eslint/no-unsafe-class-instance-assignment -- commander's functions make instances of its own class */
import { Command } from 'commander'
import { expect, it } from 'vitest'
import { addUserNotifications } from '../../../../server/cli/src/command/user-notifications.ts'
import { describeCommands } from '../../../../server/cli/src/completion/describe-commands.ts'
import { propose } from '../../../../server/cli/src/completion/propose.ts'

const nowhere = { write: () => true }
const context = {
  ...{ checkout: '/', home: '/', cwd: '/', env: {}, out: nowhere, err: nowhere },
  ...{ confirm: null, askSecrets: () => Promise.resolve([]), signal: AbortSignal.abort() },
}

it('proposes what one can be told by e-mail', () => {
  const program = new Command('community-lab')
  addUserNotifications(program.command('user'), context)
  const tree = describeCommands(program)
  for (const option of ['--on', '--off']) {
    const found = propose(tree, ['user', 'notifications', option, 'n'])
    const words = [{ word: 'node-offline' }, { word: 'node-safe' }]
    expect(found).toMatchObject({ is: 'words', words })
  }
})
