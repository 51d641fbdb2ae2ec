/** What `bin/egctl` runs. The exit code is set, not forced, so that all output gets out. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { editFile, replaceFile } from './editor.js'
import { egctl } from './egctl.js'
import type { CliIo } from './io.js'

const io: CliIo = {
  env: process.env,
  stdinIsTty: process.stdin.isTTY === true,
  hasColor: process.stderr.isTTY === true && !process.env['NO_COLOR'],
  out: (result) => process.stdout.write(result),
  err: (line) => process.stderr.write(`${line}\n`),
  readFile: (path) => readFile(path, 'utf8'),
  readStdin: () => text(process.stdin),
  writeFile: replaceFile,
  edit: (before, fileName) => editFile(process.env['EGCTL_EDITOR'] || 'vi', before, fileName),
}

// `egctl object list | head -1` closes the pipe early; there is nobody left to write for.
process.stdout.on('error', () => process.exit(1))

process.exitCode = await egctl(process.argv.slice(2), io)
