/** Files of requests for loadgen (`--mix`), one JSON object a line. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Prng } from '../../src/lib/prng.js'
import type { Household } from './children.js'
import { DEFAULT_TARGET } from './loadgen.js'

export interface MixEntry {
  readonly path: string
  readonly method?: string
  readonly body?: string
  readonly expect?: { readonly status: string }
  readonly headers?: Readonly<Record<string, string>>
}

const SEED = 7

/** Requests of many browsers: each with fields of its own, no two of one length in a row. */
export function varyingRequests(count: number, path: string = DEFAULT_TARGET): MixEntry[] {
  const prng = new Prng(SEED)
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => prng.below(16).toString(16)).join('')
  const languages = ['en-US,en;q=0.5', 'de-DE,de;q=0.9,en;q=0.6', 'zh-CN,zh;q=0.8', 'fr']
  const systems = ['X11; Linux x86_64', 'Windows NT 10.0; Win64; x64', 'Macintosh; Intel Mac OS X']
  return Array.from({ length: count }, (_, i) => {
    const headers: Record<string, string> = {
      Accept: i % 3 === 0 ? '*/*' : 'text/html,application/xhtml+xml,application/xml;q=0.9',
      'User-Agent': `Mozilla/5.0 (${systems[i % 3]}; rv:${90 + (i % 40)}.0) Gecko/20100101`,
      'Accept-Language': languages[i % 4] as string,
      'X-Request-Id': hex(32),
      Cookie: `session=${hex(16 + 2 * (i % 24))}; theme=${i % 2 === 0 ? 'dark' : 'light'}`,
    }
    if (i % 2 === 0) headers['Accept-Encoding'] = 'gzip, deflate, br'
    if (i % 5 === 0) headers['Referer'] = `http://example.com/${hex(12)}`
    if (i % 7 === 0) headers['If-None-Match'] = `"${hex(10)}"`
    return { path: `${path}?_id=${i}`, headers }
  })
}

/** Writes a mix and gives its path. */
export function writeMix(household: Household, entries: readonly MixEntry[]): string {
  const path = join(household.newFolder('mix'), 'requests.jsonl')
  writeFileSync(path, `${entries.map((entry) => JSON.stringify(entry)).join('\n')}\n`)
  return path
}
