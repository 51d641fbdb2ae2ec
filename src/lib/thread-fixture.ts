import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SRC = path.join(ROOT, 'src')
const CACHE = path.join(ROOT, 'node_modules', '.cache')
const TSC = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
const PREFIX = 'thread-fixture-'
/** Older folders are of tests long over; test processes get no chance to remove their own. */
const AGE_MAX_MS = 600_000
const FLAGS =
  '--ignoreConfig --noCheck --target es2022 --module nodenext --types node --rootDir'.split(' ')

/**
 * For tests only. Threads load JavaScript while tests run from TypeScript: compiles `entry` and
 * what it imports (half a second) into a folder from which packages resolve. Returns what to start
 * the thread with.
 */
export async function compileThreadFixture(entry: URL): Promise<URL> {
  await mkdir(CACHE, { recursive: true })
  await sweep()
  const folder = await mkdtemp(path.join(CACHE, PREFIX))
  const source = fileURLToPath(entry)
  const args = [TSC, ...FLAGS, SRC, '--outDir', folder, source]
  await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}')
  return pathToFileURL(path.join(folder, path.relative(SRC, source).replace(/\.ts$/, '.js')))
}

async function sweep(): Promise<void> {
  for (const name of await readdir(CACHE)) {
    if (!name.startsWith(PREFIX)) continue
    const folder = path.join(CACHE, name)
    const madeMs = await stat(folder).then(
      (stats) => stats.mtimeMs,
      () => Number.POSITIVE_INFINITY, // another sweep was faster
    )
    if (Date.now() - madeMs > AGE_MAX_MS) await rm(folder, { recursive: true, force: true })
  }
}
