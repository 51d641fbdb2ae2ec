import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { CertificatePair, TlsIdentity } from '../../listener/contract.js'
import type { SpecProblem } from '../../spec/schema.js'

type Path = readonly (string | number)[]

/** The fields of a server that are about TLS; those that only v2 has may be missing. */
export interface TlsSpec {
  readonly https: boolean
  readonly certBase64?: string | undefined
  readonly keyBase64?: string | undefined
  readonly certs?: Readonly<Record<string, string>>
  readonly keys?: Readonly<Record<string, string>>
  readonly caCertBase64?: string | undefined
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m

/** What the listener can sign with. */
const CURVES: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1']
const RSA_BITS_MIN = 1024

/** Certificate and key as they are written, and where. */
interface Written {
  readonly cert: string
  readonly key: string
  readonly certPath: Path
  readonly keyPath: Path
}

/**
 * What is wrong with the certificates of a server that serves TLS, and what is worth a warning.
 * Nothing of a server that does not: as in Easegress nobody looks at them there.
 */
export function tlsProblems(spec: TlsSpec, nowMs = Date.now()): SpecProblem[] {
  if (!spec.https) return []
  const problems: SpecProblem[] = []
  const { certBase64 = '', keyBase64 = '', certs = {}, keys = {}, caCertBase64 = '' } = spec
  const written = writtenPairs(spec)
  if ((certBase64 === '') !== (keyBase64 === '')) {
    const path = [certBase64 === '' ? 'certBase64' : 'keyBase64']
    const other = certBase64 === '' ? 'keyBase64' : 'certBase64'
    const severity = Object.keys(certs).length > 0 ? { severity: 'warning' as const } : {}
    problems.push({ path, message: `is missing: expected it beside ${other}`, ...severity })
  } else if (written.length === 0 && Object.keys(certs).length === 0) {
    const hint = spec.certs === undefined ? {} : { hint: 'or a pair in certs and keys' }
    problems.push({ path: ['https'], message: 'needs certBase64 and keyBase64', ...hint })
  }
  for (const name of Object.keys(certs)) {
    if (Object.hasOwn(keys, name)) continue
    problems.push({ path: ['certs', name], message: `expected a key "${name}" in keys` })
  }
  for (const name of Object.keys(keys)) {
    if (Object.hasOwn(certs, name)) continue
    const message = `has no certificate "${name}" in certs, and is not used`
    problems.push({ path: ['keys', name], message, severity: 'warning' })
  }
  for (const pair of written) problems.push(...pairProblems(pair, nowMs))
  if (caCertBase64 !== '') {
    const chain = readChain(pemOf(caCertBase64))
    if (typeof chain === 'string') problems.push({ path: ['caCertBase64'], message: chain })
    else problems.push(...timeProblems(chain, ['caCertBase64'], nowMs))
  }
  return problems
}

/** What a checked server shows; null without TLS. */
export function tlsIdentityOf(spec: TlsSpec): TlsIdentity | null {
  if (!spec.https) return null
  const pairs = writtenPairs(spec).map(pairOf)
  const clientCa = spec.caCertBase64 ? certificatesText(pemOf(spec.caCertBase64)) : ''
  const hash = createHash('sha256')
  for (const { cert, key } of pairs) hash.update(cert).update(key)
  return { pairs, clientCa, fingerprint: hash.update(`\n${clientCa}`).digest('base64') }
}

/** In the order in which a client that names no host gets the first. */
function writtenPairs({ certBase64, keyBase64, certs = {}, keys = {} }: TlsSpec): Written[] {
  const pairs: Written[] = []
  if (certBase64 && keyBase64) {
    pairs.push({
      cert: certBase64,
      key: keyBase64,
      certPath: ['certBase64'],
      keyPath: ['keyBase64'],
    })
  }
  for (const [name, cert] of Object.entries(certs)) {
    const key = Object.hasOwn(keys, name) ? keys[name] : undefined
    if (key === undefined) continue
    pairs.push({ cert, key, certPath: ['certs', name], keyPath: ['keys', name] })
  }
  return pairs
}

function pairProblems({ cert, key, certPath, keyPath }: Written, nowMs: number): SpecProblem[] {
  const problems: SpecProblem[] = []
  const chain = readChain(pemOf(cert))
  if (typeof chain === 'string') problems.push({ path: certPath, message: chain })
  else problems.push(...timeProblems(chain, certPath, nowMs))
  const read = readKey(pemOf(key))
  if ('message' in read) return [...problems, { path: keyPath, ...read }]
  const [leaf] = typeof chain === 'string' ? [] : chain
  if (leaf !== undefined && !leaf.checkPrivateKey(read.key)) {
    const message = `does not belong to the first certificate of ${certPath.join('.')}`
    problems.push({ path: keyPath, message, hint: 'expected the key it was made with' })
  }
  return problems
}

function timeProblems(chain: readonly X509Certificate[], path: Path, nowMs: number): SpecProblem[] {
  return chain.flatMap((certificate, i): SpecProblem[] => {
    const which = chain.length === 1 ? '' : `certificate ${i + 1} of ${chain.length} `
    const { validTo, validFrom } = certificate
    const tell = (message: string): SpecProblem[] => [
      { path, message: `${which}${message}`, severity: 'warning' },
    ]
    if (Date.parse(validTo) < nowMs) return tell(`expired on ${validTo}`)
    return Date.parse(validFrom) > nowMs ? tell(`is not valid before ${validFrom}`) : []
  })
}

/** PEM stays what it is; base64 of it is decoded. */
function pemOf(text: string): string {
  return text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64').toString('latin1')
}

/** All certificates in `pem`, or what is wrong. */
function readChain(pem: string): X509Certificate[] | string {
  const blocks = pem.match(CERTIFICATE) ?? []
  if (blocks.length === 0) {
    return 'expected a certificate in PEM ("-----BEGIN CERTIFICATE-----"), base64-encoded'
  }
  const chain: X509Certificate[] = []
  for (const [i, block] of blocks.entries()) {
    try {
      chain.push(new X509Certificate(block))
    } catch (thrown) {
      return `certificate ${i + 1} of ${blocks.length} cannot be read: ${reasonOf(thrown)}`
    }
  }
  return chain
}

type KeyProblem = Pick<SpecProblem, 'message' | 'hint'>

function readKey(pem: string): { readonly key: KeyObject } | KeyProblem {
  if (!PRIVATE_KEY.test(pem)) {
    return {
      message: 'expected a private key in PEM ("-----BEGIN PRIVATE KEY-----"), base64-encoded',
    }
  }
  if (ENCRYPTED.test(pem)) {
    return {
      message: 'is encrypted: expected a key without a passphrase',
      hint: '`openssl pkey -in FILE` writes it without',
    }
  }
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (thrown) {
    return { message: `cannot be read: ${reasonOf(thrown)}` }
  }
  const kind = kindOf(key)
  if (kind === '') return { key }
  return { message: `is of a kind that is not served (${kind})`, hint: 'expected RSA or P-256' }
}

/** Empty for a key that the listener can sign with. */
function kindOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string {
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0
    return bits < RSA_BITS_MIN ? `RSA of ${bits} bits` : ''
  }
  if (type !== 'ec') return String(type)
  const curve = details?.namedCurve ?? ''
  return CURVES.includes(curve) ? '' : `elliptic curve ${curve}`
}

const reasonOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)

/** Normalised: what else a file had in between, such as parameters of a curve, is left out. */
function pairOf({ cert, key }: Written): CertificatePair {
  const pem = certificatesText(pemOf(cert))
  const leaf = new X509Certificate(pem)
  return {
    cert: pem,
    key: String(createPrivateKey(pemOf(key)).export({ type: 'pkcs8', format: 'pem' })),
    names: namesOf(leaf),
  }
}

const certificatesText = (pem: string): string => `${(pem.match(CERTIFICATE) ?? []).join('\n')}\n`

/** As Go's `crypto/x509` and browsers do: the common name says nothing any more. */
function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName
    .split(', ')
    .filter((each) => each.startsWith('DNS:'))
    .map((each) => each.slice('DNS:'.length).toLowerCase())
    .filter((name) => /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name))
}
