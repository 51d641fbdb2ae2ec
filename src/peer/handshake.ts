/**
 * Two nodes meet: HELLO, CHALLENGE, PROOF, WELCOME, READY, in turns, the dialer first. Either side
 * may end it with REFUSE. Pure: no clock (whoever drives it sets a deadline), no socket, and the
 * nonce is handed in.
 *
 * With a cluster secret each side proves that it has it by an HMAC-SHA-256 over a label of its
 * role and the exact bytes of HELLO and CHALLENGE: both nonces, both identities, channel, levels.
 * Nothing of one handshake fits another, nor the other side of the same one. The dialer proves
 * first, so that a stranger who dials gets nothing to try words against. With TLS the transport has
 * checked the certificate, and the name in it must be the name of the peer. The secret protects
 * the handshake, not the bytes that follow it: over foreign networks use TLS.
 *
 * A refusal is `trusted` when it proves that it comes from a member; nothing irrevocable is to be
 * done on one that is not.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { assert } from '../lib/assert.js'
import { FRAME, type FrameType } from './frame.js'
import {
  decodeHello,
  decodeProof,
  decodeRefuse,
  encodeHello,
  encodeProof,
  encodeRefuse,
  type Hello,
  MAC_BYTES,
  type Refuse,
} from './handshake-messages.js'
import {
  CHANNEL_NAMES,
  type Channel,
  type Introduction,
  type Peer,
  PROTOCOL_MAX,
  PROTOCOL_MIN,
  type Refusal,
  type RefusalCode,
  refusal,
} from './identity.js'
import type { Verdict } from './judge.js'

export interface Remote {
  /** For messages. */
  readonly address: string
  /** Only this machine can be at the other end. */
  readonly isLoopback: boolean
  /** Names in the checked certificate of the peer; null without TLS. */
  readonly certificateNames: readonly string[] | null
}

export interface HandshakeOptions {
  readonly self: Introduction
  /** {@link NONCE_BYTES} bytes nobody can foresee, never used before. */
  readonly nonce: Uint8Array
  /** `cluster-secret`; null: none. */
  readonly secret: Uint8Array | null
  /** Accept peers of other machines with neither secret nor TLS. */
  readonly allowInsecure: boolean
  readonly remote: Remote
  /** Asked once, after the peer has proved who it is. */
  readonly judge: (peer: Introduction) => Verdict
}

export interface DialerOptions extends HandshakeOptions {
  readonly channel: Channel
  /** Whom it wants to reach: a member's name, with its incarnation if known; null: whoever it is. */
  readonly expect: { readonly name: string; readonly incarnation: string | null } | null
}

export interface AcceptorOptions extends HandshakeOptions {
  /** What this listener carries. */
  readonly channels: readonly Channel[]
}

export interface HandshakeFrame {
  readonly type: FrameType
  readonly body: Uint8Array<ArrayBuffer>
}

export type HandshakeOutcome =
  | { readonly ok: true; readonly peer: Peer; readonly channel: Channel; readonly protocol: number }
  | {
      readonly ok: false
      readonly refusal: Refusal
      readonly by: 'us' | 'peer'
      /** See above; always true when it was us. */
      readonly trusted: boolean
      /** What the peer claimed to be, if it came to that. */
      readonly claimed: Introduction | null
    }

type Role = 'dialer' | 'acceptor'
type Expecting = 'hello' | 'challenge' | 'proof' | 'welcome' | 'ready' | 'nothing'

const EXPECTED: Readonly<Record<Expecting, FrameType | null>> = {
  hello: FRAME.HELLO,
  challenge: FRAME.CHALLENGE,
  proof: FRAME.PROOF,
  welcome: FRAME.WELCOME,
  ready: FRAME.READY,
  nothing: null,
}

const NO_MAC = new Uint8Array(0)
const MESSAGE_LENGTH_MAX = 900

export class Handshake {
  readonly #role: Role
  readonly #options: HandshakeOptions
  readonly #channels: readonly Channel[]
  readonly #expect: DialerOptions['expect']
  #expecting: Expecting
  #sent: HandshakeFrame[] = []
  /** Bodies of HELLO and CHALLENGE, as they travelled. */
  #hello: Uint8Array<ArrayBuffer> = NO_MAC
  #challenge: Uint8Array<ArrayBuffer> = NO_MAC
  #peer: Hello | null = null
  #guest = false
  #outcome: HandshakeOutcome | null = null

  private constructor(
    role: Role,
    options: HandshakeOptions,
    channels: readonly Channel[],
    expect: DialerOptions['expect'],
  ) {
    this.#role = role
    this.#options = options
    this.#channels = channels
    this.#expect = expect
    this.#expecting = role === 'dialer' ? 'challenge' : 'hello'
  }

  /** Has its first frame ready in `take`. */
  static dial(options: DialerOptions): Handshake {
    const { channel, expect } = options
    const handshake = new Handshake('dialer', options, [channel], expect)
    handshake.#hello = handshake.#introduce(channel)
    handshake.#send(FRAME.HELLO, handshake.#hello)
    return handshake
  }

  static accept(options: AcceptorOptions): Handshake {
    return new Handshake('acceptor', options, options.channels, null)
  }

  /** Null while it goes on. When it is set, send what `take` gives, and if it failed, close. */
  get outcome(): HandshakeOutcome | null {
    return this.#outcome
  }

  /** What is to be sent now. */
  take(): HandshakeFrame[] {
    const sent = this.#sent
    this.#sent = []
    return sent
  }

  /** Whether a frame of that type may come now. */
  expects(type: number): boolean {
    if (this.#outcome !== null) return false
    return type === EXPECTED[this.#expecting] || (type === FRAME.REFUSE && this.#canBeRefused())
  }

  /** A frame came that {@link expects} let in. */
  receive(type: number, body: Uint8Array): void {
    assert(this.#outcome === null, 'a frame for a handshake that is over')
    if (!this.expects(type)) this.#refuse('malformed', `a frame of type ${type} was not expected`)
    else if (type === FRAME.REFUSE) this.#onRefuse(body)
    else if (type === FRAME.HELLO) this.#onHello(body)
    else if (type === FRAME.CHALLENGE) this.#onChallenge(body)
    else if (type === FRAME.PROOF) this.#onProof(body)
    else if (type === FRAME.WELCOME) this.#onWelcome(body)
    else this.#open()
  }

  /** The node has no room for another connection; only before the first frame came. */
  refuseOverload(): void {
    this.#refuse('overloaded', 'too many connections; try again later')
  }

  /** Who dials says nothing before it has introduced itself. */
  #canBeRefused(): boolean {
    return this.#role === 'dialer' || this.#expecting !== 'hello'
  }

  #onHello(body: Uint8Array): void {
    if (!this.#meet(body)) return
    const hello = this.#peer as Hello
    if (!this.#channels.includes(hello.channel)) {
      const name = CHANNEL_NAMES[hello.channel]
      this.#refuse('channel', `this port does not carry the ${name} connection; use the peer port`)
      return
    }
    this.#hello = new Uint8Array(body)
    this.#challenge = this.#introduce(hello.channel)
    this.#send(FRAME.CHALLENGE, this.#challenge)
    this.#expecting = 'proof'
  }

  #onChallenge(body: Uint8Array): void {
    if (!this.#meet(body)) return
    const expect = this.#expect
    const peer = this.#peer as Hello
    const isOther =
      expect !== null &&
      (peer.name !== expect.name ||
        (expect.incarnation !== null && peer.incarnation !== expect.incarnation))
    if (peer.channel !== this.#channels[0]) {
      this.#refuse('malformed', 'the answer is for another channel')
      return
    }
    if (isOther) {
      const wanted = `"${expect.name}"${expect.incarnation === null ? '' : ` (incarnation ${expect.incarnation})`}`
      this.#refuse(
        'unexpected-member',
        `expected member ${wanted} at ${this.#options.remote.address}, found "${peer.name}" (incarnation ${peer.incarnation})`,
      )
      return
    }
    this.#challenge = new Uint8Array(body)
    this.#send(FRAME.PROOF, encodeProof({ mac: this.#mac('dialer', 'proof') }))
    this.#expecting = 'welcome'
  }

  #onProof(body: Uint8Array): void {
    if (!this.#proved(body) || !this.#judged()) return
    this.#send(FRAME.WELCOME, encodeProof({ mac: this.#mac('acceptor', 'proof') }))
    this.#expecting = 'ready'
  }

  #onWelcome(body: Uint8Array): void {
    if (!this.#proved(body) || !this.#judged()) return
    this.#send(FRAME.READY, new Uint8Array(0))
    this.#open()
  }

  #open(): void {
    this.#expecting = 'nothing'
    const peer = this.#peer as Hello
    const protocol = Math.min(PROTOCOL_MAX, peer.protocolMax)
    const identity = { ...introductionOf(peer), guest: this.#guest }
    this.#outcome = { ok: true, peer: identity, channel: peer.channel, protocol }
  }

  /** What can be said about a HELLO or CHALLENGE before its sender has proved anything. */
  #meet(body: Uint8Array): boolean {
    const decoded = decodeHello(body)
    if (typeof decoded === 'string') {
      this.#refuse('malformed', `the introduction cannot be read: ${decoded}`)
      return false
    }
    this.#peer = decoded
    const problem = this.#stranger(decoded)
    if (problem !== null) this.#refuse(problem.code, problem.message)
    return problem === null
  }

  #stranger(peer: Hello): Refusal | null {
    const { self, remote, secret, allowInsecure } = this.#options
    const who = `member "${peer.name}"`
    if (peer.protocolMin > PROTOCOL_MAX || peer.protocolMax < PROTOCOL_MIN) {
      return refusal(
        'protocol',
        `${who} speaks versions ${peer.protocolMin} to ${peer.protocolMax} of the peer protocol, this node ${PROTOCOL_MIN} to ${PROTOCOL_MAX}`,
      )
    }
    if (peer.clusterName !== self.clusterName) {
      return refusal(
        'cluster-name',
        `${who} belongs to cluster "${peer.clusterName}", this node to "${self.clusterName}": check cluster-name and the peer addresses`,
      )
    }
    if (secret !== null && !peer.secret) {
      return refusal(
        'secret-missing',
        `this cluster has a cluster-secret, ${who} has none: set the same one there`,
      )
    }
    if (secret === null && peer.secret) {
      return refusal(
        'secret-unexpected',
        `${who} has a cluster-secret, this node has none: set the same one on every member`,
      )
    }
    const names = remote.certificateNames
    if (names !== null && !names.includes(peer.name)) {
      return refusal(
        'certificate',
        `the certificate of ${remote.address} is for ${names.map((each) => `"${each}"`).join(', ') || 'nobody'}, not for ${who}: its subjectAltName must hold the name of the member`,
      )
    }
    if (names === null && secret === null && !remote.isLoopback && !allowInsecure) {
      return refusal(
        'insecure',
        'nodes on several machines need cluster-secret or https:// peer URLs (or allow-insecure-peers: true)',
      )
    }
    return null
  }

  #proved(body: Uint8Array): boolean {
    const decoded = decodeProof(body)
    if (typeof decoded === 'string') {
      this.#refuse('malformed', `the proof cannot be read: ${decoded}`)
      return false
    }
    if (this.#isMac(decoded.mac, this.#mac(this.#other(), 'proof'))) return true
    const { name } = this.#peer as Hello
    this.#refuse(
      'secret-wrong',
      `the cluster-secret of member "${name}" is not that of this node: it must be the same on every member`,
    )
    return false
  }

  #judged(): boolean {
    const verdict = this.#options.judge(introductionOf(this.#peer as Hello))
    if (verdict.ok) this.#guest = verdict.guest
    else this.#refuse(verdict.refusal.code, verdict.refusal.message, true)
    return verdict.ok
  }

  #onRefuse(body: Uint8Array): void {
    const decoded = decodeRefuse(body)
    if (typeof decoded === 'string') {
      this.#refuse('malformed', `the refusal cannot be read: ${decoded}`)
      return
    }
    this.#expecting = 'nothing'
    this.#outcome = {
      ok: false,
      refusal: refusal(decoded.code, decoded.message),
      by: 'peer',
      trusted: this.#isTrusted(decoded),
      claimed: this.#peer === null ? null : introductionOf(this.#peer),
    }
  }

  #isTrusted(refuse: Refuse): boolean {
    const { secret, remote } = this.#options
    if (secret !== null) {
      const met = this.#hello.byteLength > 0 && this.#challenge.byteLength > 0
      const mac = this.#mac(this.#other(), 'refusal', `${refuse.code} ${refuse.message}`)
      return met && this.#isMac(refuse.mac, mac)
    }
    const names = remote.certificateNames
    if (names === null) return true // Nobody proves anything here, by the operator's choice.
    const name = this.#peer?.name ?? this.#expect?.name
    return name !== undefined && names.includes(name)
  }

  /** `proven`: the peer has proved who it is, so it may have a proof in turn. */
  #refuse(code: RefusalCode, message: string, proven = false): void {
    const short = message.slice(0, MESSAGE_LENGTH_MAX)
    const mac = proven ? this.#mac(this.#role, 'refusal', `${code} ${short}`) : NO_MAC
    this.#send(FRAME.REFUSE, encodeRefuse({ code, message: short, mac }))
    this.#expecting = 'nothing'
    this.#outcome = {
      ok: false,
      refusal: refusal(code, short),
      by: 'us',
      trusted: true,
      claimed: this.#peer === null ? null : introductionOf(this.#peer),
    }
  }

  #send(type: FrameType, body: Uint8Array<ArrayBuffer>): void {
    this.#sent.push({ type, body })
  }

  #introduce(channel: Channel): Uint8Array<ArrayBuffer> {
    const { self, nonce, secret } = this.#options
    return encodeHello({
      ...introductionOf(self),
      protocolMin: PROTOCOL_MIN,
      protocolMax: PROTOCOL_MAX,
      channel,
      secret: secret !== null,
      nonce,
    })
  }

  #other(): Role {
    return this.#role === 'dialer' ? 'acceptor' : 'dialer'
  }

  #isMac(given: Uint8Array, wanted: Uint8Array): boolean {
    return given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted)
  }

  /** Each part is preceded by its length, so that no two sets of parts give the same bytes. */
  #mac(role: Role, purpose: 'proof' | 'refusal', said = ''): Uint8Array<ArrayBuffer> {
    const { secret } = this.#options
    if (secret === null) return NO_MAC
    // HMAC fills short keys up with zeros; through a hash, no two secrets are the same key.
    const hmac = createHmac('sha256', createHash('sha256').update(secret).digest())
    const label = `easegress peer handshake, ${purpose} of the ${role}`
    for (const part of [label, this.#hello, this.#challenge, said]) {
      const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
      const length = new Uint8Array(4)
      new DataView(length.buffer).setUint32(0, bytes.byteLength)
      hmac.update(length).update(bytes)
    }
    const mac = new Uint8Array(hmac.digest())
    assert(mac.byteLength === MAC_BYTES, 'a MAC has another length')
    return mac
  }
}

function introductionOf(from: Introduction): Introduction {
  return {
    name: from.name,
    incarnation: from.incarnation,
    bootId: from.bootId,
    nodeId: from.nodeId,
    clusterName: from.clusterName,
    clusterId: from.clusterId,
    admittedAt: from.admittedAt,
    level: from.level,
    levelMin: from.levelMin,
    clusterLevel: from.clusterLevel,
    logEnd: { index: from.logEnd.index, term: from.logEnd.term },
  }
}
