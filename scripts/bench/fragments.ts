/** What `npm run bench:filters` measures: a file of YAML for each kind in `scripts/bench/filters/`. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseYaml } from '../../src/spec/yaml.js'
import { issueTokens, type TokenWish } from './tokens.js'

/** One way to use one kind. */
export interface Fragment {
  /** Of the file, without `.yaml`: the kind, and after a dash what is special. */
  readonly name: string
  readonly kind: string
  readonly summary: string
  /** Of the pipeline that holds it. */
  readonly dialect: 'v1' | 'v2'
  /** Where the flow goes on after a result; `answer` is the end of a pipeline of v2. */
  readonly jumpIf: Readonly<Record<string, string>>
  /** It stands so often in the pipeline, and its cost is divided by that: small costs show. */
  readonly copies: number
  /** The bar in microseconds, or null. */
  readonly microsMax: number | null
  readonly request: FragmentRequest
  /** Tokens that its requests carry, in turn, and whose key the filter gets; null for none. */
  readonly tokens: TokenWish | null
  /** The filter, but for its name. */
  readonly filter: Readonly<Record<string, unknown>>
}

export interface FragmentRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Of the answer: what is not this is an error. */
  readonly status: string
}

const COPIES_DEFAULT = 8
/** Where a filter's fields need the address of the back end, and headers its host alone. */
const ORIGIN = 'http://origin'
const ORIGIN_HOST = 'origin.test'
/** Where they need a folder with files in it: that of the fragments. */
const FOLDER = '/folder-of-fragments'

interface Written {
  readonly summary?: string
  readonly dialect?: string
  readonly jumpIf?: Readonly<Record<string, string>>
  readonly copies?: number
  readonly microsMax?: number
  readonly request?: Partial<FragmentRequest>
  readonly tokens?: TokenWish
  readonly filter?: Readonly<Record<string, unknown>>
}

/** Reads one file. Throws when it is no fragment. */
export function readFragment(name: string, text: string): Fragment {
  const parsed = parseYaml(text)
  if (!parsed.ok) throw new Error(`${name}: ${parsed.message} at line ${parsed.position.line}`)
  const written = (parsed.documents[0]?.value ?? {}) as Written
  const kind = written.filter?.['kind']
  if (typeof kind !== 'string') throw new Error(`${name}: expected filter.kind`)
  return {
    name,
    kind,
    summary: written.summary ?? '',
    dialect: written.dialect === 'v2' ? 'v2' : 'v1',
    jumpIf: written.jumpIf ?? {},
    copies: written.copies ?? COPIES_DEFAULT,
    microsMax: written.microsMax ?? null,
    request: { method: 'GET', headers: {}, body: '', status: '2xx', ...written.request },
    tokens: written.tokens ?? null,
    filter: written.filter ?? {},
  }
}

/** All of a folder, by name. */
export function readFragments(folder: string): Fragment[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => readFragment(file.slice(0, -5), readFileSync(join(folder, file), 'utf8')))
}

/** The filter with the real address of the back end in it. */
export function withOrigin(
  filter: Readonly<Record<string, unknown>>,
  port: number,
  folder = '',
): Readonly<Record<string, unknown>> {
  const text = JSON.stringify(filter)
    .replaceAll(ORIGIN, `http://127.0.0.1:${port}`)
    .replaceAll(FOLDER, folder)
  return JSON.parse(text) as Readonly<Record<string, unknown>>
}

/** With a key and tokens of its own, if it wants such: a filter, and headers of each request. */
export function issued(
  { tokens, filter, request }: Fragment,
  port: number,
): {
  readonly filter: Fragment['filter']
  readonly headers: readonly FragmentRequest['headers'][]
} {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      value === ORIGIN_HOST ? `127.0.0.1:${port}` : value,
    ]),
  )
  if (tokens === null) return { filter, headers: [headers] }
  const { jwt, tokens: all } = issueTokens(tokens)
  return {
    filter: { ...filter, jwt },
    headers: all.map((token) => ({ ...headers, Authorization: `Bearer ${token}` })),
  }
}
