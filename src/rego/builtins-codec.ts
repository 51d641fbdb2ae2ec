import { createHash, createHmac } from 'node:crypto'
import type { BuiltinTable } from './builtins.js'
import { fromJson, isArray, RegoObject, toJson, type Value } from './value.js'

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const BASE64_URL = /^[A-Za-z0-9_-]*={0,2}$/
const HEX = /^(?:[0-9a-fA-F]{2})*$/

function text(run: (text: string) => Value | undefined): BuiltinTable[string] {
  return [1, ([value]) => (typeof value === 'string' ? run(value) : undefined)]
}

const encoded = (encoding: BufferEncoding): BuiltinTable[string] =>
  text((value) => Buffer.from(value).toString(encoding))

function decoded(encoding: BufferEncoding, valid: RegExp): BuiltinTable[string] {
  return text((value) =>
    valid.test(value) ? Buffer.from(value, encoding).toString('utf8') : undefined,
  )
}

const hash = (algorithm: string): BuiltinTable[string] =>
  text((value) => createHash(algorithm).update(value).digest('hex'))

function hmac(algorithm: string): BuiltinTable[string] {
  return [
    2,
    ([value, key]) =>
      typeof value === 'string' && typeof key === 'string'
        ? createHmac(algorithm, key).update(value).digest('hex')
        : undefined,
  ]
}

function parsed(value: string): Value | undefined {
  try {
    return fromJson(JSON.parse(value))
  } catch {
    return undefined
  }
}

function unescaped(value: string): string | undefined {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** As Go's `QueryEscape`: everything but letters, digits, `-`, `_`, `.` and `~`; a blank is `+`. */
function escaped(value: string): string {
  return encodeURIComponent(value)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
}

function queryOf(value: Value): string | undefined {
  if (!(value instanceof RegoObject)) return undefined
  const pairs = value.entries().flatMap(([key, item]) => {
    const items = isArray(item) ? item : [item]
    return items.map((one) => `${escaped(String(key))}=${escaped(String(one))}`)
  })
  return pairs.join('&')
}

function objectOfQuery(query: string): Value | undefined {
  const found = new Map<string, string[]>()
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    const key = unescaped(at < 0 ? pair : pair.slice(0, at))
    const value = unescaped(at < 0 ? '' : pair.slice(at + 1))
    if (key === undefined || value === undefined) return undefined
    const list = found.get(key)
    if (list === undefined) found.set(key, [value])
    else list.push(value)
  }
  return RegoObject.of(found)
}

/** Encodings, hashes and JSON. */
export const codecBuiltins: BuiltinTable = {
  'base64.encode': encoded('base64'),
  'base64.decode': decoded('base64', BASE64),
  'base64.is_valid': text((value) => BASE64.test(value)),
  'base64url.encode': text((value) => {
    const bare = Buffer.from(value).toString('base64url')
    return bare.padEnd(Math.ceil(bare.length / 4) * 4, '=')
  }),
  'base64url.encode_no_pad': encoded('base64url'),
  'base64url.decode': decoded('base64url', BASE64_URL),
  'hex.encode': encoded('hex'),
  'hex.decode': decoded('hex', HEX),
  'urlquery.encode': text(escaped),
  'urlquery.decode': text(unescaped),
  'urlquery.encode_object': [1, ([value]) => queryOf(value as Value)],
  'urlquery.decode_object': text(objectOfQuery),
  'json.marshal': [1, ([value]) => JSON.stringify(toJson(value as Value))],
  'json.unmarshal': text(parsed),
  'json.is_valid': text((value) => parsed(value) !== undefined),
  'crypto.md5': hash('md5'),
  'crypto.sha1': hash('sha1'),
  'crypto.sha256': hash('sha256'),
  'crypto.hmac.md5': hmac('md5'),
  'crypto.hmac.sha1': hmac('sha1'),
  'crypto.hmac.sha256': hmac('sha256'),
  'crypto.hmac.sha512': hmac('sha512'),
  'crypto.hmac.equal': [
    2,
    ([a, b]) => (typeof a === 'string' && typeof b === 'string' ? a === b : undefined),
  ],
}
