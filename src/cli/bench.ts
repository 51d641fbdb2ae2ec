import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError } from 'commander'

/** Runs the bench with these words and gives its exit code. */
export type StartBench = (words: readonly string[]) => Promise<number>

const HELP = `
The words are those of "npm run bench": "egctl bench -- --help" explains them all.

Examples:
  egctl bench --list
  egctl bench --quick
  egctl bench --scenario proxy --scenario mock
  egctl bench compare --build before=/tmp/before/dist`

/** `egctl bench`: measures this gateway beside others. Needs no server, it starts what it compares. */
export const bench = (): Command => benchWith(startBench)

/** The same with another way to run it. */
export function benchWith(start: StartBench): Command {
  return new Command('bench')
    .description('measure this gateway beside nginx, HAProxy, Caddy and others')
    .argument('[words...]', 'mode and options of the bench')
    .allowUnknownOption()
    .addHelpText('after', HELP)
    .action(async (_words: unknown, _options: unknown, command: Command) => {
      const code = await start(command.args)
      // It has said what was wrong.
      if (code !== 0) throw new CommanderError(code, 'bench', 'the bench failed')
    })
}

/** In a process of its own, on this terminal: it takes minutes, and Ctrl-C is for it. */
function startBench(words: readonly string[]): Promise<number> {
  const script = fileURLToPath(new URL('../../scripts/bench.js', import.meta.url))
  const wait = (): void => {}
  process.on('SIGINT', wait)
  process.on('SIGTERM', wait)
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...words], { stdio: 'inherit' })
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
}
