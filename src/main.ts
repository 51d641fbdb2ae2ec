import { readFileSync } from 'node:fs'
import { collectGently } from './lib/collector.js'
import { helpersGiveWay, START_UP_MS } from './lib/thread-priority.js'
import { type Effective, printConfig, readOptions } from './options/options.js'
import { Root } from './root/root.js'
import { VERSION } from './version.js'

const outcome = readOptions(process.argv.slice(2), process.env, (path) =>
  readFileSync(path, 'utf8'),
)

if (outcome.type === 'help') process.stdout.write(outcome.text)
else if (outcome.type === 'version') process.stdout.write(`Easegress ${VERSION}\n`)
else if (outcome.type === 'refused') {
  for (const problem of outcome.problems) process.stderr.write(`easegress-server: ${problem}\n`)
  process.exitCode = 1
} else {
  for (const notice of outcome.notices) process.stderr.write(`easegress-server: ${notice}\n`)
  if (outcome.options.printConfig) process.stdout.write(printConfig(outcome))
  await run(outcome)
}

async function run(effective: Effective): Promise<void> {
  collectGently()
  const root = create(effective, (message) => {
    process.stderr.write(`easegress-server: ${message}\n`)
    stop()
  })
  const stop = (): void => {
    root.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', () => root.reopenLogs())
  // The parent is gone: nobody would start this process again, nor stop it.
  process.on('disconnect', stop)
  try {
    await root.start()
    process.send?.({ type: 'ready' })
    setTimeout(helpersGiveWay, START_UP_MS).unref()
  } catch (thrown) {
    process.stderr.write(`easegress-server: ${(thrown as Error).message}\n`)
    await root.stop()
    process.exit(1)
  }
}

/** Makes the folders and opens the logs; what the system refuses is said in a sentence. */
function create(effective: Effective, purged: (message: string) => void): Root {
  try {
    return new Root(effective, purged)
  } catch (thrown) {
    process.stderr.write(`easegress-server: cannot start: ${(thrown as Error).message}\n`)
    process.exit(1)
  }
}
