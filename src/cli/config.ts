import { Command } from 'commander'
import { configPath, currentOf, readConfig } from './config-file.js'
import { CliError, type CliIo } from './io.js'
import { column, table } from './table.js'

const REDACTED = 'REDACTED'
const SECRETS: ReadonlySet<string> = new Set([
  'password',
  'client-key-data',
  'client-certificate-data',
])

/** `egctl config …`: the servers of `~/.egctlrc`. */
export function config(io: CliIo): Command {
  return new Command('config')
    .description('show and choose the servers of ~/.egctlrc')
    .addCommand(
      new Command('current-context').description('name the context in use').action(async () => {
        const { 'current-context': name } = await readConfig(io)
        if (name === '') throw new CliError('no context is in use')
        io.out(`${name}\n`)
      }),
    )
    .addCommand(
      new Command('get-contexts').description('list the contexts').action(async () => {
        const { contexts, 'current-context': current } = await readConfig(io)
        const rows = contexts.map(({ name, context }) => ({
          ...context,
          name,
          current: name === current ? '*' : ' ',
        }))
        const columns = ['current', 'name', 'cluster', 'user'].map((key) =>
          column(key.toUpperCase(), key),
        )
        io.out(table(columns, rows))
      }),
    )
    .addCommand(
      new Command('use-context')
        .description('choose the context for the commands to come')
        .argument('<name>', 'name of the context')
        .action(useContext(io)),
    )
    .addCommand(
      new Command('view').description('show the file without its secrets').action(async () => {
        const { toYaml } = await import('../spec/yaml.js')
        io.out(toYaml(redacted(await readConfig(io))))
      }),
    )
}

const useContext =
  (io: CliIo) =>
  async (name: string): Promise<void> => {
    const found = await readConfig(io)
    if (!found.contexts.some((each) => each.name === name)) {
      throw new CliError(`there is no context "${name}"; egctl config get-contexts lists all`)
    }
    currentOf({ ...found, 'current-context': name })
    const path = configPath(io) as string
    const text = await io.readFile(path)
    // One line of the file changes; its comments and order stay.
    const line = `current-context: ${JSON.stringify(name)}`
    const changed = /^current-context:.*$/m.test(text)
      ? text.replace(/^current-context:.*$/m, () => line)
      : `${line}\n${text}`
    await io.writeFile(path, changed)
    io.out(`Switched to context ${name}\n`)
  }

/** Empty fields are left out, secrets are hidden. */
function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redacted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .filter(([, each]) => each !== '')
    .map(([key, each]) => [key, SECRETS.has(key) ? REDACTED : redacted(each)])
  return Object.fromEntries(entries)
}
