/** `npm run docs`: writes `docs/reference/`, `docs/schema/` and `docs/compatibility.md`. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compatibilityPage } from './compatibility.js'
import { referenceFiles } from './reference.js'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
/** Nothing else is in them. */
const OUTPUT = ['docs/reference', 'docs/schema', 'docs/schema/v1', 'docs/schema/v2']

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const files = new Map(referenceFiles((folder) => read(`${folder}/README.md`)))
for (const folder of OUTPUT) {
  mkdirSync(join(ROOT, folder), { recursive: true })
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isFile() && !files.has(path)) rmSync(join(ROOT, path))
  }
}
files.set('docs/compatibility.md', compatibilityPage(read))
for (const [path, text] of files) writeFileSync(join(ROOT, path), text)
process.stdout.write(`${files.size} files in docs/\n`)
