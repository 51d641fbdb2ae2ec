import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type ClientHttp2Session, connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemTime } from '../../src/lib/clock.js'
import { NodeTransport } from '../../src/peer/node-transport.js'
import { Links, Rpc } from '../../src/peer/peer.js'
import { ask, freePort, sleep } from './nodes.js'
import { incarnationOf, introductionOf, PUT_SERVICE, silent } from './store-node.js'

const ETCD = '/usr/bin/etcd'
const CLIENTS = [1, 32, 256]
/** Before anything is measured: one side is compiled while it runs. */
const WARM_MS = 3_000
const WARM_CLIENTS = 32
/** The two sides take turns, so that what else the machine does hits both. */
const TURNS = 6
const TURN_MS = 1_000
const VALUE_BYTES = 256
const STORE_NODE = join(dirname(fileURLToPath(import.meta.url)), 'store-node.js')

const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** One put, to be repeated. */
type Put = (key: Buffer, value: Buffer) => Promise<void>

interface Subject {
  readonly put: Put
  /** Of all nodes. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** Hundredths of a second that processes have run so far (proc_pid_stat(5)); NaN if not on Linux. */
function cpuTicks(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      // Behind the name, which may hold anything: utime and stime are fields 14 and 15.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
      return sum + Number(fields[11]) + Number(fields[12])
    } catch {
      return Number.NaN
    }
  }, 0)
}

class Figures {
  readonly #latenciesMs: number[] = []
  readonly #pids: readonly number[]
  #ms = 0
  #ticks = 0

  constructor(pids: readonly number[]) {
    this.#pids = pids
  }

  async turn(put: Put, clients: number, forMs: number): Promise<void> {
    const value = randomBytes(VALUE_BYTES)
    const ticks = cpuTicks(this.#pids)
    const fromMs = performance.now()
    const client = async (): Promise<void> => {
      for (let nowMs = fromMs; nowMs - fromMs < forMs; ) {
        const key = Buffer.from(String(randomInt(10_000)).padStart(16, 'k'), 'latin1')
        const sentMs = nowMs
        await put(key, value)
        nowMs = performance.now()
        this.#latenciesMs.push(nowMs - sentMs)
      }
    }
    await Promise.all(Array.from({ length: clients }, client))
    this.#ms += performance.now() - fromMs
    this.#ticks += cpuTicks(this.#pids) - ticks
  }

  get perSecond(): number {
    return (this.#latenciesMs.length / this.#ms) * 1000
  }

  toString(): string {
    const sorted = Float64Array.from(this.#latenciesMs).sort()
    const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)
    const cpuMs = ((this.#ticks * 10) / sorted.length).toFixed(2)
    return `${this.perSecond.toFixed(0)}/s (p50 ${at(0.5)}, p99 ${at(0.99)} ms, CPU ${cpuMs} ms a put)`
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

async function ours(count: number, dir: string): Promise<Subject> {
  const names = Array.from({ length: count }, (_, i) => `n${i + 1}`)
  const members = await Promise.all(
    names.map(async (name) => ({
      name,
      incarnation: incarnationOf(name),
      peerUrl: `http://127.0.0.1:${await freePort()}`,
    })),
  )
  const children: ChildProcess[] = []
  const leader = await new Promise<number>((resolve) => {
    for (const [i, name] of names.entries()) {
      const args = [STORE_NODE, name, join(dir, name), JSON.stringify(members)]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      children.push(child)
      child.stdout?.on('data', (text: Buffer) => {
        if (text.toString().split('\n').includes('leader')) resolve(i)
      })
    }
  })
  const self = introductionOf('client', `client-${randomBytes(4).toString('hex')}`, null)
  let peer = ''
  const links: Links = new Links({
    time: systemTime,
    random: (below) => randomInt(below),
    nonce: () => randomBytes(32),
    transport: new NodeTransport({ tls: null }),
    log: silent,
    local: () => self,
    membership: () => ({
      self,
      knownUpTo: 0,
      member: () => null,
      nameOf: () => null,
      isPurged: () => false,
      liveBoot: () => null,
    }),
    secret: null,
    allowInsecure: false,
    handler: {
      onPeerUp: () => {},
      onPeerDown: () => {},
      onRaft: () => {},
      onUnreachable: () => {},
      onChunk: () => {},
      onChunkReply: () => {},
      onChunkRoom: () => {},
      onForward: (traffic, from) => rpc.receive(traffic, from),
      onForwardUp: ({ incarnation }) => {
        peer = incarnation
      },
      onForwardDown: (from) => rpc.peerDown(from),
      onRefused: () => {},
      onDialFailed: () => {},
    },
  })
  const rpc = new Rpc({ time: systemTime, links })
  links.dialGuest(members[leader]?.peerUrl as string, null)
  while (peer === '') await sleep(10)
  return {
    pids: children.map(({ pid }) => pid as number),
    put: (key, value) =>
      new Promise((resolve, reject) => {
        rpc.ask(peer, PUT_SERVICE, Buffer.concat([key, value]), 30_000, (answer) => {
          if (answer.ok) resolve()
          else reject(answer.error)
        })
      }),
    stop: async () => {
      links.close()
      await Promise.all(children.map(ended))
    },
  }
}

/** `etcdserverpb.PutRequest { bytes key = 1; bytes value = 2 }` in a frame of gRPC. */
function putFrame(key: Buffer, value: Buffer): Buffer {
  const length = Buffer.from([0x12, (value.length & 0x7f) | 0x80, value.length >> 7])
  const message = Buffer.concat([Buffer.from([0x0a, key.length]), key, length, value])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function grpcPut(session: ClientHttp2Session): Put {
  return (key, value) =>
    new Promise((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/etcdserverpb.KV/Put',
        'content-type': 'application/grpc',
        te: 'trailers',
      })
      let status = ''
      stream.on('response', (headers) => {
        status = String(headers['grpc-status'] ?? status)
      })
      stream.on('trailers', (headers) => {
        status = String(headers['grpc-status'] ?? status)
      })
      stream.on('data', () => {})
      stream.on('error', reject)
      stream.on('end', () => {
        if (status === '0') resolve()
        else reject(new Error(`gRPC status ${status}`))
      })
      stream.end(putFrame(key, value))
    })
}

async function etcd(count: number, dir: string): Promise<Subject> {
  const nodes = await Promise.all(
    Array.from({ length: count }, async (_, i) => ({
      name: `e${i + 1}`,
      client: await freePort(),
      peer: await freePort(),
    })),
  )
  const initial = nodes.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(',')
  const children = nodes.map(({ name, client, peer }) =>
    spawn(
      ETCD,
      [
        ...['--name', name, '--data-dir', join(dir, name), '--log-level', 'error'],
        ...['--listen-client-urls', `http://127.0.0.1:${client}`],
        ...['--advertise-client-urls', `http://127.0.0.1:${client}`],
        ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-cluster', initial],
      ],
      { stdio: 'ignore' },
    ),
  )
  let leader = -1
  while (leader < 0) {
    for (const [i, { client }] of nodes.entries()) {
      try {
        const path = '/v3/maintenance/status'
        const asked = { host: '127.0.0.1', port: client, method: 'POST', path, body: '{}' }
        const { text } = await ask(asked)
        const status = JSON.parse(text) as { leader?: string; header?: { member_id?: string } }
        if (status.leader !== undefined && status.leader === status.header?.member_id) leader = i
      } catch {
        // not yet
      }
    }
    await sleep(50)
  }
  const session = connect(`http://127.0.0.1:${nodes[leader]?.client}`)
  return {
    pids: children.map(({ pid }) => pid as number),
    put: grpcPut(session),
    stop: async () => {
      session.destroy()
      await Promise.all(children.map(ended))
    },
  }
}

async function compare(own: Subject, other: Subject | null, clients: number): Promise<string> {
  const here = new Figures(own.pids)
  const there = new Figures(other?.pids ?? [])
  for (let turn = 0; turn < TURNS; turn++) {
    await here.turn(own.put, clients, TURN_MS)
    if (other !== null) await there.turn(other.put, clients, TURN_MS)
  }
  if (other === null) return `${here}`
  return `${here}, etcd ${there}: ${(here.perSecond / there.perSecond).toFixed(2)}x`
}

/** Puts of 256 bytes a second, through the leader, and how long each takes. */
export async function storeWrites(): Promise<void> {
  const hasEtcd = existsSync(ETCD)
  if (!hasEtcd) say(`there is no ${ETCD}: nothing to compare with`)
  for (const count of [1, 3]) {
    const dir = mkdtempSync(join(tmpdir(), 'easegress-store-'))
    const own = await ours(count, join(dir, 'ours'))
    const other = hasEtcd ? await etcd(count, join(dir, 'etcd')) : null
    for (const { put } of other === null ? [own] : [own, other]) {
      await new Figures([]).turn(put, WARM_CLIENTS, WARM_MS)
    }
    for (const clients of CLIENTS) {
      const nodes = `${count} node${count > 1 ? 's' : ' '}`
      const figures = await compare(own, other, clients)
      say(`${nodes}  ${String(clients).padStart(3)} clients  ${figures}`)
    }
    await own.stop()
    await other?.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}
