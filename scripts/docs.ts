/** `npm run docs`: writes `docs/reference/` and `docs/schema/`. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { referenceFiles } from './reference.js'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const OUTPUT = ['docs/reference', 'docs/schema']

const files = referenceFiles((folder) => readFileSync(join(ROOT, folder, 'README.md'), 'utf8'))
for (const folder of OUTPUT) {
  mkdirSync(join(ROOT, folder), { recursive: true })
  for (const name of readdirSync(join(ROOT, folder))) {
    if (!files.has(`${folder}/${name}`)) rmSync(join(ROOT, folder, name))
  }
}
for (const [path, text] of files) writeFileSync(join(ROOT, path), text)
process.stdout.write(`${files.size} files in ${OUTPUT.join(' and ')}\n`)
