/**
 * Certificates for the members of one cluster, without openssl:
 *
 *   node dist/scripts/certificates.js DIR NAME...
 *
 * writes `ca.pem`, `ca.key` (kept when they are there) and, for each name, `NAME.pem` and
 * `NAME.key`. Elliptic curve P-256, ten years for the authority, one for a member. Whoever has
 * `ca.key` can make members.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS
const MEMBER_NAME = /^[A-Za-z0-9\-_.~]{1,253}$/

// ---- DER (X.690), as much of it as a certificate takes -----------------------------------------

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const { length } = body
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), body])
  const long: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) long.unshift(rest % 256)
  return Buffer.concat([Buffer.from([tag, 0x80 | long.length, ...long]), body])
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...parts)
const octets = (bytes: Uint8Array): Buffer => der(TAG.octets, bytes)
const bits = (bytes: Uint8Array): Buffer => der(TAG.bits, Buffer.from([0]), bytes)
const text = (value: string): Buffer => der(TAG.utf8, Buffer.from(value, 'utf8'))

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return der(TAG.oid, Buffer.from(bytes))
}

/** RFC 5280 §4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050 on. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(0, 14)
  const year = new Date(ms).getUTCFullYear()
  return year < 2050
    ? der(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`, 'ascii'))
    : der(TAG.generalizedTime, Buffer.from(`${digits}Z`, 'ascii'))
}

// ---- X.509 (RFC 5280) --------------------------------------------------------------------------

const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

const TRUE = der(TAG.boolean, Buffer.from([0xff]))
const named = (name: string): Buffer =>
  sequence(der(TAG.set, sequence(oid(OID.commonName), text(name))))

function extension(id: string, isCritical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(isCritical ? [TRUE] : []), octets(value))
}

/** The public key's own bytes, hashed, as §4.2.1.2 proposes. */
function keyId(key: KeyObject): Buffer {
  const publicKey = key.type === 'public' ? key : createPublicKey(key)
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha1').update(spki.subarray(-65)).digest()
}

interface Issue {
  readonly subject: string
  readonly publicKey: KeyObject
  readonly issuer: string
  readonly issuerKey: KeyObject
  readonly years: number
  readonly extensions: readonly Buffer[]
}

function certificate({ subject, publicKey, issuer, issuerKey, years, extensions }: Issue): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256))
  const serial = randomBytes(16)
  // Positive, and never shorter.
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40
  // Clocks of the machines may differ.
  const from = Date.now() - DAY_MS
  const signed = sequence(
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    algorithm,
    named(issuer),
    sequence(time(from), time(from + years * YEAR_MS)),
    named(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', signed, issuerKey)
  const body = sequence(signed, algorithm, bits(signature)).toString('base64')
  const lines = body.match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

const AUTHORITY = 'easegress cluster authority'

function newKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

const pemOf = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }))

function openAuthority(dir: string): KeyObject {
  const keyFile = join(dir, 'ca.key')
  const certFile = join(dir, 'ca.pem')
  if (existsSync(keyFile) && existsSync(certFile)) {
    return createPrivateKey(readFileSync(keyFile, 'utf8'))
  }
  const { publicKey, privateKey } = newKeys()
  const pem = certificate({
    subject: AUTHORITY,
    publicKey,
    issuer: AUTHORITY,
    issuerKey: privateKey,
    years: 10,
    extensions: [
      extension(OID.basicConstraints, true, sequence(TRUE)),
      // keyCertSign and cRLSign.
      extension(OID.keyUsage, true, der(TAG.bits, Buffer.from([1, 0x06]))),
      extension(OID.subjectKeyId, false, octets(keyId(publicKey))),
    ],
  })
  writeFileSync(keyFile, pemOf(privateKey), { mode: 0o600 })
  writeFileSync(certFile, pem)
  return privateKey
}

function writeMember(dir: string, name: string, authority: KeyObject): void {
  const { publicKey, privateKey } = newKeys()
  const pem = certificate({
    subject: name,
    publicKey,
    issuer: AUTHORITY,
    issuerKey: authority,
    years: 1,
    extensions: [
      extension(OID.basicConstraints, true, sequence()),
      // digitalSignature.
      extension(OID.keyUsage, true, der(TAG.bits, Buffer.from([7, 0x80]))),
      // A member is server and client.
      extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
      extension(OID.alternativeName, false, sequence(der(0x82, Buffer.from(name, 'ascii')))),
      extension(OID.subjectKeyId, false, octets(keyId(publicKey))),
      extension(OID.authorityKeyId, false, sequence(der(0x80, keyId(authority)))),
    ],
  })
  writeFileSync(join(dir, `${name}.key`), pemOf(privateKey), { mode: 0o600 })
  writeFileSync(join(dir, `${name}.pem`), pem)
}

const [dir, ...names] = process.argv.slice(2)
const bad = names.find((name) => !MEMBER_NAME.test(name) || name === 'ca')
if (dir === undefined || names.length === 0) {
  process.stderr.write('usage: node dist/scripts/certificates.js DIR NAME...\n')
  process.exitCode = 1
} else if (bad !== undefined) {
  process.stderr.write(`${JSON.stringify(bad)} cannot be the name of a member\n`)
  process.exitCode = 1
} else {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const authority = openAuthority(dir)
  for (const name of names) writeMember(dir, name, authority)
}
