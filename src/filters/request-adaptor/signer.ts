import { createHmac } from 'node:crypto'
import { isFieldValue } from '../../http/headers.js'
import type { HttpRequest } from '../../http/message.js'
import {
  canonicalHeaders,
  canonicalPath,
  canonicalQuery,
  parseQuery,
  sha256Hex,
} from '../canonical.js'
import { type SigningWords, WORDS_AWS4 } from '../signer-fields.js'
import type { SignSpec } from './kind-v2.js'

/** Signed or not, they do not arrive as they are here, or may not be signed at all. */
const NEVER_SIGNED: readonly string[] = [
  'authorization',
  'user-agent',
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

const UNSIGNED = 'UNSIGNED-PAYLOAD'

/** Signs requests in the manner of AWS Signature Version 4: compat/traffic-v2.md §9.1.3. */
export class Signer {
  readonly needsBody: boolean
  readonly #words: SigningWords
  readonly #isAws: boolean
  readonly #id: string
  readonly #secret: string
  readonly #scopes: readonly string[]
  readonly #ignored: ReadonlySet<string>
  /** The key serves for a day. */
  #keyDate = ''
  #key: Buffer = Buffer.alloc(0)

  constructor(spec: SignSpec) {
    this.#isAws = spec.apiProvider === 'aws4'
    this.#words = this.#isAws ? WORDS_AWS4 : spec.literal
    this.#id = spec.accessKeyId
    this.#secret = spec.accessKeySecret
    this.#scopes = spec.scopes
    this.needsBody = !spec.excludeBody
    this.#ignored = new Set([
      ...NEVER_SIGNED,
      ...spec.ignoredHeaders.map((name) => name.toLowerCase()),
    ])
  }

  /** `nowMs`: milliseconds since the Unix epoch. False when there is no form of it to sign. */
  sign(request: HttpRequest, nowMs: number): boolean {
    const { headers } = request
    const words = this.#words
    const timestamp = `${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
    const date = timestamp.slice(0, 8)
    const [path = '/'] = request.target.split('?', 1)
    const pairs = parseQuery(request.query)
    if (pairs === null) return false

    headers.delete('authorization')
    headers.set(words.date.toLowerCase(), timestamp)
    const bodyHash = this.#bodyHash(request)
    const names = this.#namesOf(request)
    const lines = canonicalHeaders(request, names)
    if (lines === null) return false
    const signed = names.join(';')
    const canonical = [
      request.method,
      canonicalPath(path),
      canonicalQuery(pairs, this.#isAws ? 'aws' : 'easegress'),
      lines,
      signed,
      bodyHash,
    ].join('\n')
    const scope = [date, ...this.#scopes, words.scopeSuffix].join('/')
    const toSign = [words.algorithmValue, timestamp, scope, sha256Hex(canonical)].join('\n')
    const signature = hmac(this.#keyOf(date), toSign).toString('hex')
    const value = `${words.algorithmValue} Credential=${this.#id}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
    if (!isFieldValue(value)) return false
    headers.set('authorization', value)
    return true
  }

  /** What a header says already is believed: whoever set it has seen the body. */
  #bodyHash({ headers, body }: HttpRequest): string {
    const name = this.#words.contentSha256.toLowerCase()
    const said = headers.get(name)
    if (said !== null && said !== '') return said
    if (this.needsBody && body === null) return sha256Hex('')
    if (this.needsBody && body?.whole != null) return sha256Hex(body.whole)
    headers.set(name, UNSIGNED)
    return UNSIGNED
  }

  #namesOf({ headers }: HttpRequest): string[] {
    const names = new Set(['host'])
    const { flat } = headers
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] as string
      if (!this.#ignored.has(name)) names.add(name)
    }
    return [...names].sort()
  }

  #keyOf(date: string): Buffer {
    if (date === this.#keyDate) return this.#key
    const { signingKeyPrefix, scopeSuffix } = this.#words
    let key: Buffer = Buffer.from(signingKeyPrefix + this.#secret)
    for (const part of [date, ...this.#scopes, scopeSuffix]) key = hmac(key, part)
    this.#keyDate = date
    this.#key = key
    return key
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest()
}
