import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CliError, type Edited } from './io.js'

/** Whoever reads the file sees the old text or the new one; its mode keeps secrets in. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const beside = `${path}.${process.pid}`
  await writeFile(beside, text, { mode: 0o600 })
  await rename(beside, path)
}

/**
 * Runs `editor`, which may have arguments of its own, on a file with `text` in a directory that
 * nobody else can read. Rejects with a {@link CliError} when it fails.
 */
export async function editFile(editor: string, text: string, fileName: string): Promise<Edited> {
  const dir = await mkdtemp(join(tmpdir(), 'egctl-'))
  const path = join(dir, fileName)
  await writeFile(path, text, { mode: 0o600 })
  const [command = 'vi', ...args] = editor.trim().split(/\s+/)
  await new Promise<void>((resolve, reject) => {
    const child = spawn(command, [...args, path], { stdio: 'inherit' })
    child.on('error', (cause) => {
      reject(new CliError(`EGCTL_EDITOR: cannot run ${command}; the text is in ${path}`, { cause }))
    })
    child.on('exit', (code) => {
      if (code === 0) resolve()
      else reject(new CliError(`${command} failed (${code}); the text is in ${path}`))
    })
  })
  return {
    text: await readFile(path, 'utf8'),
    path,
    discard: () => rm(dir, { recursive: true, force: true }),
  }
}
