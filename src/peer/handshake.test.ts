import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeBody, encodeBody } from './body.js'
import { FRAME } from './frame.js'
import {
  type AcceptorOptions,
  type DialerOptions,
  Handshake,
  type HandshakeFrame,
  type HandshakeOutcome,
  type Remote,
} from './handshake.js'
import { CHANNEL, CHANNELS, type Introduction, refusal } from './identity.js'

const SECRET = Uint8Array.from(Buffer.from('a secret of the cluster'))
const LOOPBACK: Remote = { address: '127.0.0.1:2380', isLoopback: true, certificateNames: null }
const FAR: Remote = { address: '10.0.0.9:2380', isLoopback: false, certificateNames: null }
const tls = (...names: string[]): Remote => ({ ...FAR, certificateNames: names })

function member(name: string, changes: Partial<Introduction> = {}): Introduction {
  return {
    name,
    incarnation: `inc-${name}`,
    bootId: `boot-${name}`,
    nodeId: 1,
    clusterName: 'prod',
    clusterId: 'c1',
    admittedAt: 1,
    level: 3,
    levelMin: 1,
    clusterLevel: 2,
    logEnd: { index: 9, term: 2 },
    ...changes,
  }
}

let nonces = 0
/** None twice: with its own nonce again a side would take what was recorded for what is said. */
function nonce(): Uint8Array {
  const bytes = Buffer.alloc(32)
  bytes.writeUInt32BE(++nonces)
  return new Uint8Array(bytes)
}

const dialer = (changes: Partial<DialerOptions> = {}): Handshake =>
  Handshake.dial({
    self: member('a'),
    nonce: nonce(),
    secret: SECRET,
    allowInsecure: false,
    remote: LOOPBACK,
    judge: () => ({ ok: true, guest: false }),
    channel: CHANNEL.RAFT,
    expect: { name: 'b', incarnation: 'inc-b' },
    ...changes,
  })

const acceptor = (changes: Partial<AcceptorOptions> = {}): Handshake =>
  Handshake.accept({
    self: member('b', { nodeId: 2 }),
    nonce: nonce(),
    secret: SECRET,
    allowInsecure: false,
    remote: LOOPBACK,
    judge: () => ({ ok: true, guest: false }),
    channels: CHANNELS,
    ...changes,
  })

type Tamper = (frame: HandshakeFrame, from: 'dialer' | 'acceptor') => HandshakeFrame | null

/** Lets the two talk until nobody says anything; gives back what travelled. */
function meet(d: Handshake, a: Handshake, tamper: Tamper = (frame) => frame): HandshakeFrame[] {
  const seen: HandshakeFrame[] = []
  const deliver = (from: Handshake, to: Handshake, name: 'dialer' | 'acceptor'): boolean => {
    const frames = from.take()
    for (const frame of frames) {
      const arrives = tamper(frame, name)
      seen.push(frame)
      if (arrives !== null && to.outcome === null) to.receive(arrives.type, arrives.body)
    }
    return frames.length > 0
  }
  while (deliver(d, a, 'dialer') || deliver(a, d, 'acceptor'));
  return seen
}

function summary(outcome: HandshakeOutcome | null): string {
  if (outcome === null) return 'open end'
  if (outcome.ok) return `${outcome.peer.name} on ${outcome.channel}`
  return `${outcome.by} ${outcome.refusal.code}${outcome.trusted ? '' : ' (not trusted)'}`
}

it.each<[string, Partial<DialerOptions>, Partial<AcceptorOptions>]>([
  ['with a secret', {}, {}],
  ['with a secret, far away', { remote: FAR }, { remote: FAR }],
  ['on loopback with nothing', { secret: null }, { secret: null }],
  [
    'far away with nothing, when allowed',
    { secret: null, remote: FAR, allowInsecure: true },
    { secret: null, remote: FAR, allowInsecure: true },
  ],
  ['with TLS', { secret: null, remote: tls('b') }, { secret: null, remote: tls('x', 'a') }],
  ['with TLS and a secret', { remote: tls('b') }, { remote: tls('a') }],
  ['not knowing whom', { expect: null }, {}],
  ['knowing the name alone', { expect: { name: 'b', incarnation: null } }, {}],
])('two nodes meet %s', (_name, dial, accept) => {
  const [d, a] = [dialer(dial), acceptor(accept)]
  meet(d, a)
  expect(d.outcome).toEqual({
    ok: true,
    peer: { ...member('b', { nodeId: 2 }), guest: false },
    channel: CHANNEL.RAFT,
    protocol: 1,
  })
  expect(a.outcome).toMatchObject({ ok: true, peer: { ...member('a'), guest: false } })
})

const other = Uint8Array.from(Buffer.from('another secret'))
const refuses = (code: Parameters<typeof refusal>[0]) => () =>
  ({ ok: false, refusal: refusal(code, `a sentence about ${code}`) }) as const

it.each<[string, Partial<DialerOptions>, Partial<AcceptorOptions>, string, string]>([
  [
    'another cluster',
    {},
    { self: member('b', { clusterName: 'test' }) },
    'peer cluster-name (not trusted)',
    'us cluster-name',
  ],
  ['another secret', {}, { secret: other }, 'peer secret-wrong (not trusted)', 'us secret-wrong'],
  [
    'a secret with a zero behind it',
    { secret: Uint8Array.of(...SECRET, 0) },
    {},
    'peer secret-wrong (not trusted)',
    'us secret-wrong',
  ],
  ['no secret at the dialer', { secret: null }, {}, 'peer secret-missing', 'us secret-missing'],
  [
    'no secret at the acceptor',
    {},
    { secret: null },
    'peer secret-unexpected (not trusted)',
    'us secret-unexpected',
  ],
  [
    'nothing, far away, at the acceptor',
    { secret: null },
    { secret: null, remote: FAR },
    'peer insecure',
    'us insecure',
  ],
  [
    'nothing, far away, at the dialer',
    { secret: null, remote: FAR },
    { secret: null },
    'us insecure',
    'peer insecure',
  ],
  [
    'a certificate for another name at the dialer',
    { secret: null, remote: tls('b') },
    { secret: null, remote: tls('c', 'aa') },
    'peer certificate',
    'us certificate',
  ],
  [
    'a certificate for another name at the acceptor',
    { secret: null, remote: tls('c') },
    { secret: null, remote: tls('a') },
    'us certificate',
    'peer certificate',
  ],
  [
    'a certificate without a name, and a secret',
    {},
    { remote: tls() },
    'peer certificate (not trusted)',
    'us certificate',
  ],
  [
    'somebody else at the address',
    { expect: { name: 'c', incarnation: null } },
    {},
    'us unexpected-member',
    'peer unexpected-member (not trusted)',
  ],
  [
    'another incarnation at the address',
    { expect: { name: 'b', incarnation: 'inc-of-old' } },
    {},
    'us unexpected-member',
    'peer unexpected-member (not trusted)',
  ],
  [
    'a port that carries something else',
    {},
    { channels: [CHANNEL.FORWARD] },
    'peer channel (not trusted)',
    'us channel',
  ],
  ['a purged dialer', {}, { judge: refuses('purged') }, 'peer purged', 'us purged'],
  ['a purged acceptor', { judge: refuses('purged') }, {}, 'us purged', 'peer purged'],
])('two nodes part: %s', (_name, dial, accept, dialerSays, acceptorSays) => {
  const [d, a] = [dialer(dial), acceptor(accept)]
  meet(d, a)
  expect([summary(d.outcome), summary(a.outcome)]).toEqual([dialerSays, acceptorSays])
  for (const { outcome } of [d, a]) {
    if (outcome?.ok === false) expect(outcome.refusal.message.length).toBeGreaterThan(15)
  }
})

/** A body with some fields changed. */
function edit(frame: HandshakeFrame, changes: Record<string, unknown>): HandshakeFrame {
  const decoded = decodeBody(frame.body)
  const fields = decoded.ok ? (decoded.value as object) : {}
  return { type: frame.type, body: encodeBody({ ...fields, ...changes }) }
}

const flipped = (frame: HandshakeFrame): HandshakeFrame => {
  const body = frame.body.slice()
  body[body.length - 1] = (body[body.length - 1] as number) ^ 1
  return { type: frame.type, body }
}

it.each<[string, number, Record<string, unknown>]>([
  ['the name of the dialer', FRAME.HELLO, { name: 'c' }],
  ['the incarnation of the dialer', FRAME.HELLO, { incarnation: 'inc-c' }],
  ['the boot of the dialer', FRAME.HELLO, { bootId: 'boot-c' }],
  ['the number of the dialer', FRAME.HELLO, { nodeId: 3 }],
  ['the cluster of the dialer', FRAME.HELLO, { clusterId: null }],
  ['the level of the dialer', FRAME.HELLO, { level: 9 }],
  ['the channel', FRAME.HELLO, { channel: CHANNEL.FORWARD }],
  ['the nonce of the dialer', FRAME.HELLO, { nonce: new Uint8Array(32) }],
  ['the versions of the dialer', FRAME.HELLO, { protocolMax: 2 }],
  ['an unknown field', FRAME.HELLO, { more: 1 }],
  ['the nonce of the acceptor', FRAME.CHALLENGE, { nonce: new Uint8Array(32) }],
  ['the number of the acceptor', FRAME.CHALLENGE, { nodeId: 7 }],
  ['the log of the acceptor', FRAME.CHALLENGE, { logEnd: { index: 0, term: 0 } }],
])('whoever changes %s on the way is found out', (_name, type, changes) => {
  const [d, a] = [dialer(), acceptor()]
  meet(d, a, (frame) => (frame.type === type ? edit(frame, changes) : frame))
  expect(d.outcome?.ok ?? false).toBe(false)
  expect(a.outcome?.ok ?? false).toBe(false)
})

it.each<[string, number]>([
  ['PROOF', FRAME.PROOF],
  ['WELCOME', FRAME.WELCOME],
])('a %s with one bit changed is worth nothing', (_name, type) => {
  const [d, a] = [dialer(), acceptor()]
  meet(d, a, (frame) => (frame.type === type ? flipped(frame) : frame))
  expect(summary(type === FRAME.PROOF ? a.outcome : d.outcome)).toBe('us secret-wrong')
})

it.each<[string, (mac: Uint8Array) => Uint8Array]>([
  ['no proof', () => new Uint8Array(0)],
  ['a proof of zeros', () => new Uint8Array(32)],
  ['half a proof', (mac) => mac.slice(0, 16)],
  ['a proof and more', (mac) => Uint8Array.of(...mac, 0)],
])('%s is not enough', (_name, change) => {
  const [d, a] = [dialer(), acceptor()]
  meet(d, a, (frame) => {
    if (frame.type !== FRAME.PROOF) return frame
    const decoded = decodeBody(frame.body)
    const { mac } = (decoded.ok ? decoded.value : {}) as { mac: Uint8Array }
    return edit(frame, { mac: change(mac) })
  })
  expect(a.outcome?.ok).toBe(false)
  expect(d.outcome?.ok).toBe(false)
})

it('a proof seen before opens nothing: the challenge is another', () => {
  const seen = meet(dialer(), acceptor())
  const a = acceptor()
  const [hello, , proof] = seen as [HandshakeFrame, HandshakeFrame, HandshakeFrame]
  a.receive(hello.type, hello.body)
  a.receive(proof.type, proof.body)
  expect(summary(a.outcome)).toBe('us secret-wrong')
})

it('a welcome seen before is none: the dialer is another', () => {
  const seen = meet(dialer(), acceptor())
  const d = dialer()
  d.take()
  d.receive(FRAME.CHALLENGE, seen[1]?.body as Uint8Array)
  d.receive(FRAME.WELCOME, seen[3]?.body as Uint8Array)
  expect(summary(d.outcome)).toBe('us secret-wrong')
})

it('what the dialer proves is no proof for the acceptor, sent back', () => {
  const d = dialer({ expect: null })
  const [hello] = d.take() as [HandshakeFrame]
  d.receive(FRAME.CHALLENGE, hello.body)
  const [proof] = d.take() as [HandshakeFrame]
  d.receive(FRAME.WELCOME, proof.body)
  expect(summary(d.outcome)).toBe('us secret-wrong')
})

it('a stranger between two members cannot make one believe it was purged', () => {
  const [d, a] = [dialer(), acceptor({ judge: refuses('overloaded') })]
  meet(d, a, (frame) =>
    frame.type === FRAME.REFUSE
      ? edit(frame, { code: 'purged', message: 'you were purged' })
      : frame,
  )
  expect(summary(d.outcome)).toBe('peer purged (not trusted)')
})

it('a refusal that is replayed in another handshake is not trusted', () => {
  const [first, purging] = [dialer(), acceptor({ judge: refuses('purged') })]
  const seen = meet(first, purging)
  expect(summary(first.outcome)).toBe('peer purged')
  const [d, a] = [dialer(), acceptor()]
  const old = seen.at(-1) as HandshakeFrame
  meet(d, a, (frame) => (frame.type === FRAME.WELCOME ? old : frame))
  expect(summary(d.outcome)).toBe('peer purged (not trusted)')
})

it('a refusal by a TLS server of another name is not trusted', () => {
  const d = dialer({ secret: null, remote: tls('mallory') })
  d.receive(FRAME.REFUSE, encodeBody({ code: 'purged', message: 'purged', mac: new Uint8Array(0) }))
  expect(summary(d.outcome)).toBe('peer purged (not trusted)')
})

it.each<[string, () => Handshake, number]>([
  ['a dialer does not take a HELLO', dialer, FRAME.HELLO],
  ['a dialer does not take a WELCOME at once', dialer, FRAME.WELCOME],
  ['a dialer takes no traffic', dialer, FRAME.RAFT],
  ['an acceptor does not take a PROOF at once', acceptor, FRAME.PROOF],
  ['an acceptor does not take a READY at once', acceptor, FRAME.READY],
  ['an acceptor is not refused at once', acceptor, FRAME.REFUSE],
  ['an acceptor takes no traffic', acceptor, FRAME.REQUEST],
])('%s', (_name, make, type) => {
  const handshake = make()
  expect(handshake.expects(type)).toBe(false)
  handshake.receive(type, new Uint8Array(0))
  expect(summary(handshake.outcome)).toBe('us malformed')
  expect(handshake.expects(type)).toBe(false)
})

const valid = { ...member('a'), protocolMin: 1, protocolMax: 1, channel: 0, secret: true }

it.each<[string, unknown]>([
  ['no map', [1, 2]],
  ['nothing', null],
  ['no nonce', { ...valid }],
  ['a short nonce', { ...valid, nonce: new Uint8Array(31) }],
  ['an empty name', { ...valid, name: '', nonce: nonce() }],
  ['a long name', { ...valid, name: 'n'.repeat(256), nonce: nonce() }],
  ['a name of two lines', { ...valid, name: 'a\nb', nonce: nonce() }],
  ['a name that is a number', { ...valid, name: 7, nonce: nonce() }],
  ['a negative number', { ...valid, nodeId: -1, nonce: nonce() }],
  ['a broken number', { ...valid, nodeId: 1.5, nonce: nonce() }],
  ['a log that is none', { ...valid, logEnd: null, nonce: nonce() }],
  ['a log without term', { ...valid, logEnd: { index: 1 }, nonce: nonce() }],
  ['an unknown channel', { ...valid, channel: 3, nonce: nonce() }],
  ['a secret that is no flag', { ...valid, secret: 'yes', nonce: nonce() }],
])('an introduction with %s is refused', (_name, value) => {
  const a = acceptor()
  a.receive(FRAME.HELLO, encodeBody(value))
  expect(summary(a.outcome)).toBe('us malformed')
  expect(a.take().map((frame) => frame.type)).toEqual([FRAME.REFUSE])
})

it('versions without overlap part in both directions', () => {
  for (const changes of [
    { protocolMin: 2, protocolMax: 3 },
    { protocolMin: 0, protocolMax: 0 },
  ]) {
    const [d, a] = [dialer(), acceptor()]
    meet(d, a, (frame) => (frame.type === FRAME.HELLO ? edit(frame, changes) : frame))
    expect(summary(a.outcome)).toBe('us protocol')
  }
})

it('a newer peer that still speaks our version is spoken to in ours', () => {
  const open = { secret: null }
  const [d, a] = [dialer(open), acceptor(open)]
  meet(d, a, (frame) => (frame.type === FRAME.HELLO ? edit(frame, { protocolMax: 5 }) : frame))
  expect(a.outcome).toMatchObject({ ok: true, protocol: 1 })
})

it('whatever arrives in whatever order: no throw, and none but the right secret opens', () => {
  const frames = meet(dialer(), acceptor())
  const known = fc.constantFrom(...frames).map((frame) => [frame.type, frame.body] as const)
  const random = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 17), fc.uint8Array({ maxLength: 60 }))
  fc.assert(
    fc.property(
      fc.array(fc.oneof(known, random), { maxLength: 6 }),
      fc.boolean(),
      (list, dials) => {
        const handshake = dials ? dialer() : acceptor()
        for (const [type, body] of list) {
          if (handshake.outcome === null) handshake.receive(type, body)
          handshake.take()
        }
        expect(handshake.outcome?.ok ?? false).toBe(false)
      },
    ),
    { numRuns: 500 },
  )
})
