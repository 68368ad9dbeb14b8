import type { Argument, Command, Option } from 'commander'
import { isNamedKind, type CommandNode, type ValueNode } from './command-tree.ts'

/** Describe a command and all below it. Hidden ones are left out. */
export function describeCommands(command: Command): CommandNode {
  const help = command.createHelp()
  return {
    name: command.name(),
    description: help.subcommandDescription(command),
    commands: help
      .visibleCommands(command)
      .filter((each) => each.name() !== 'help')
      .map(describeCommands),
    options: help
      .visibleOptions(command)
      .flatMap((option) =>
        option.long === undefined
          ? []
          : [{ flag: option.long, description: option.description, value: optionValue(option) }],
      ),
    args: command.registeredArguments.map((argument) => argumentValue(command, argument)),
  }
}

/** The commands whose `<name>` is that of something new. */
const making = new Set(['add', 'create'])
const files = new Set(['file', 'folder', 'image', 'notebook'])

/** `node show <name>` and `vct node <name>` take the name of a node, `group set-role <name> <user>` also that of a user. */
function argumentValue(command: Command, argument: Argument): ValueNode {
  const word = argument.name()
  const repeated = argument.variadic ? { isRepeated: true } : {}
  if (argument.argChoices !== undefined) return { choices: argument.argChoices, ...repeated }
  if (word === 'name' && making.has(command.name())) return repeated
  const noun = isNamedKind(command.name()) ? command.name() : command.parent?.name()
  const kind = word === 'name' || word === 'id' ? (noun ?? '') : word
  return { ...valueOf(kind), ...repeated }
}

/** `--user <name>`, `--island <island>`, `--output <file>` */
function optionValue(option: Option): ValueNode | null {
  if (!option.required && !option.optional) return null
  if (option.argChoices !== undefined) return { choices: option.argChoices }
  const placeholder = /[<[]([\w-]+)/u.exec(option.flags)?.[1] ?? ''
  return valueOf(files.has(placeholder) ? placeholder : option.name())
}

function valueOf(word: string): ValueNode {
  if (isNamedKind(word)) return { kind: word }
  return files.has(word) ? { isFile: true } : {}
}
