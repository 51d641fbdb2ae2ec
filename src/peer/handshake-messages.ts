import { decodeBody, encodeBody, HANDSHAKE_BOUNDS } from './body.js'
import {
  CHANNELS,
  type Channel,
  type Introduction,
  type Refusal,
  type RefusalCode,
} from './identity.js'

/** Frames of a handshake are no longer than this. */
export const HANDSHAKE_BODY_BYTES_MAX = 4096
export const NONCE_BYTES = 32
export const MAC_BYTES = 32

/** First word of either side; the acceptor's comes in a CHALLENGE. */
export interface Hello extends Introduction {
  readonly protocolMin: number
  readonly protocolMax: number
  readonly channel: Channel
  /** Whether this side has a cluster secret. */
  readonly secret: boolean
  readonly nonce: Uint8Array
}

/** A PROOF, a WELCOME or, with nothing in it, what they are without a secret. */
export interface Proof {
  readonly mac: Uint8Array
}

export interface Refuse extends Refusal {
  readonly mac: Uint8Array
}

export const encodeHello = (hello: Hello): Uint8Array<ArrayBuffer> => encodeBody(hello)
export const encodeProof = (proof: Proof): Uint8Array<ArrayBuffer> => encodeBody(proof)
export const encodeRefuse = (refuse: Refuse): Uint8Array<ArrayBuffer> => encodeBody(refuse)

/** The message, or a sentence saying what is wrong with the bytes. Unknown fields are left out. */
export const decodeHello = (body: Uint8Array): Hello | string => decode<Hello>(body, HELLO)
export const decodeProof = (body: Uint8Array): Proof | string => decode<Proof>(body, PROOF)
export const decodeRefuse = (body: Uint8Array): Refuse | string => decode<Refuse>(body, REFUSE)

type Test = (value: unknown) => boolean
type Form<T> = { readonly [K in keyof T]-?: Test }

/** No control characters, which could forge lines of a log. */
const text =
  (lengthMax: number): Test =>
  (value) =>
    typeof value === 'string' && value.length <= lengthMax && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value)
const name: Test = (value) => value !== '' && text(255)(value)
const whole: Test = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const flag: Test = (value) => typeof value === 'boolean'
const bytes =
  (...lengths: readonly number[]): Test =>
  (value) =>
    value instanceof Uint8Array && lengths.includes(value.byteLength)

const HELLO: Form<Hello> = {
  name,
  incarnation: name,
  bootId: name,
  nodeId: whole,
  clusterName: name,
  clusterId: (value) => value === null || name(value),
  admittedAt: whole,
  level: whole,
  levelMin: whole,
  clusterLevel: whole,
  logEnd: (value) => {
    const position = value as { index?: unknown; term?: unknown } | null
    return whole(position?.index) && whole(position?.term)
  },
  protocolMin: whole,
  protocolMax: whole,
  channel: (value) => CHANNELS.includes(value as Channel),
  secret: flag,
  nonce: bytes(NONCE_BYTES),
}
const PROOF: Form<Proof> = { mac: bytes(0, MAC_BYTES) }
const REFUSE: Form<Refuse> = {
  code: (value) => typeof value === 'string' && /^[a-z-]{1,40}$/.test(value as RefusalCode),
  message: text(1000),
  mac: bytes(0, MAC_BYTES),
}

function decode<T>(body: Uint8Array, form: Form<T>): T | string {
  const decoded = decodeBody(body, HANDSHAKE_BOUNDS)
  if (!decoded.ok) return decoded.problem
  const { value } = decoded
  if (typeof value !== 'object' || value === null) return 'expected a map'
  const fields = value as Record<string, unknown>
  const message: Record<string, unknown> = {}
  for (const [key, test] of Object.entries<Test>(form)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (!test(field)) return `${key} is missing or not valid`
    message[key] = field
  }
  return message as T
}
