import { readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { ROOT } from './paths.js'

const FOLDER = join(ROOT, 'docs', 'cookbook')

/** What a page has its reader do, in order. */
export type Step =
  /** Objects to be made, or changed when they are there. */
  | { readonly type: 'objects'; readonly documents: readonly string[] }
  /** A program to be started. */
  | { readonly type: 'program'; readonly text: string }
  /** Commands, and what they print in all. */
  | { readonly type: 'commands'; readonly text: string; readonly output: string }

/** Names of all pages; those of the format of current releases are in a folder of their own. */
export function cookbookPages(): string[] {
  const names = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.md') && name !== 'README.md').sort()
}

/** In which format the objects of a page are. */
export const dialectOf = (page: string): 'v1' | 'v2' => (page.startsWith('v2/') ? 'v2' : 'v1')

/** The folder that pages have files in. */
const FILES = '/var/www'

/**
 * Every number that follows `127.0.0.1:`, `port: `, `--port ` or `listen(` is a port, and is
 * replaced, and so is the folder `/var/www`.
 */
export function readPage(
  name: string,
  portOf: (port: number) => number,
  files: string = FILES,
): Step[] {
  const text = readFileSync(join(FOLDER, name), 'utf8')
  const placed = text
    .replaceAll(FILES, files)
    .replace(
      /(127\.0\.0\.1:|\bport: |--port |listen\()(\d+)/g,
      (_all, before: string, port: string) => before + portOf(Number(port)),
    )
  const steps: Step[] = []
  for (const [, language, block = ''] of placed.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    if (language === 'yaml') steps.push({ type: 'objects', documents: block.split(/^---\n/m) })
    else if (language === 'js') steps.push({ type: 'program', text: block })
    else if (language === 'console') steps.push(commandsOf(block))
    else throw new Error(`${name} has a block of ${language}`)
  }
  return steps
}

/** All ports that a page names. */
export function portsOf(name: string): number[] {
  const ports = new Set<number>()
  readPage(name, (port) => {
    ports.add(port)
    return port
  })
  return [...ports]
}

/** Lines that begin with `$ ` are commands, the others what they print. */
function commandsOf(block: string): Step {
  const lines = block.trimEnd().split('\n')
  const isCommand = (line: string): boolean => line.startsWith('$ ')
  return {
    type: 'commands',
    text: lines
      .filter(isCommand)
      .map((line) => line.slice(2))
      .join('\n'),
    output: lines.filter((line) => !isCommand(line)).join('\n'),
  }
}

/** A back end of the pages; it calls itself by the port that the page says. */
export class CookbookBackEnd {
  readonly #port: number
  readonly #seen: string[] = []
  readonly #counts = new Map<string, number>()

  constructor(port: number) {
    this.#port = port
  }

  readonly handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const { method = '', url = '' } = request
    const [, what, value = ''] = (url.split('?')[0] as string).split('/')
    if (what === 'seen') {
      response.end(this.#seen.splice(0).join(''))
      return
    }
    this.#seen.push(`${method} ${url}${body === '' ? '' : ` ${body}`}\n`)
    const hello = `${method} ${url} at ${this.#port}${body === '' ? '' : `: ${body}`}\n`
    switch (what) {
      case 'status':
        response.writeHead(Number(value)).end(hello)
        break
      case 'wait':
        setTimeout(() => response.end(hello), Number(value)).unref()
        break
      case 'flaky': {
        const count = (this.#counts.get(url) ?? 0) + 1
        this.#counts.set(url, count)
        response.writeHead(count % Number(value) === 0 ? 200 : 503).end(hello)
        break
      }
      case 'bytes':
        response.end('x'.repeat(Number(value)))
        break
      case 'json':
        response.end(JSON.stringify({ [value]: url.split('/')[3] }))
        break
      case 'echo':
        response.end(JSON.stringify({ method, body }))
        break
      case 'gzip':
        response.setHeader('content-encoding', 'gzip')
        response.end(gzipSync(hello))
        break
      case 'host':
        response.end(`${request.headers.host}\n`)
        break
      case 'only':
        response.writeHead(Number(value) === this.#port ? 200 : 503).end(hello)
        break
      case 'session':
        response.setHeader('set-cookie', `session=${value}; Path=/`)
        response.end(hello)
        break
      default:
        response.end(/\/show-headers(\?|$)/.test(url) ? shown(request) : hello)
    }
  }
}

/** Fields that the gateway may have set, one a line. */
function shown({ headers }: IncomingMessage): string {
  const own = Object.entries(headers).filter(([name]) => name.startsWith('x-'))
  return own
    .map(([name, value]) => `${name}: ${String(value)}\n`)
    .sort()
    .join('')
}
