import { connect, createServer, type Server, type Socket } from 'node:net'

/** Bytes from one member to another, by their names. */
type Direction = `${string}>${string}`

/** A connection of two members, by way of this process. */
interface Line {
  readonly dialer: Socket
  readonly owner: Socket
  readonly to: string
  /** Who dialed, once it has said so. */
  from: string | null
  /** Its first bytes, until it has. */
  head: Buffer
}

const HEAD_BYTES_MAX = 4_096

/**
 * The network between the members of a cluster: everybody's peer port is reached through a proxy of
 * ours, which finds out who dials from the first frame, and cuts what it is told to cut. As on a
 * real network the bytes of a cut connection are held, not lost, and who dials across a cut gets no
 * answer.
 */
export class Cables {
  readonly #servers: Server[] = []
  readonly #lines = new Set<Line>()
  readonly #cut = new Set<Direction>()

  /** Others reach `name`, which listens on `port`, at `through`. */
  async lay(name: string, port: number, through: number): Promise<void> {
    const server = createServer((dialer) => this.#connect(dialer, name, port))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(through, '127.0.0.1', resolve)
    })
    this.#servers.push(server)
  }

  /** From now on nothing that `from` sends reaches `to`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`)
    this.#apply()
  }

  heal(): void {
    this.#cut.clear()
    this.#apply()
  }

  close(): void {
    for (const server of this.#servers) server.close()
    for (const line of this.#lines) end(line)
  }

  #connect(dialer: Socket, to: string, port: number): void {
    const owner = connect({ port, host: '127.0.0.1' })
    const line: Line = { dialer, owner, to, from: null, head: Buffer.alloc(0) }
    this.#lines.add(line)
    for (const socket of [dialer, owner]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#lines.delete(line)
        end(line)
      })
    }
    dialer.on('data', (bytes) => this.#onDialer(line, bytes))
    owner.on('data', (bytes) => send(owner, dialer, bytes))
    dialer.on('drain', () => this.#flow(line))
    owner.on('drain', () => this.#flow(line))
  }

  #onDialer(line: Line, bytes: Buffer): void {
    if (line.from !== null) {
      send(line.dialer, line.owner, bytes)
      return
    }
    line.head = Buffer.concat([line.head, bytes])
    line.from = nameIn(line.head) ?? (line.head.length > HEAD_BYTES_MAX ? '' : null)
    if (line.from === null) return
    if (!this.#isCut(line.from, line.to)) {
      send(line.dialer, line.owner, line.head)
      line.head = Buffer.alloc(0)
    }
    this.#flow(line)
  }

  #isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`)
  }

  #apply(): void {
    for (const line of this.#lines) this.#flow(line)
  }

  #flow(line: Line): void {
    const { dialer, owner, from, to, head } = line
    if (from === null) return
    if (!this.#isCut(from, to) && head.length > 0) {
      line.head = Buffer.alloc(0)
      send(dialer, owner, head)
    }
    flow(dialer, !this.#isCut(from, to) && !owner.writableNeedDrain)
    flow(owner, !this.#isCut(to, from) && !dialer.writableNeedDrain)
  }
}

/** The name in the first frame of a dialer: a map of MessagePack with a short text under `name`. */
function nameIn(head: Buffer): string | null {
  const at = head.indexOf('\xa4name', 0, 'latin1')
  const length = at < 0 ? undefined : head[at + 5]
  if (length === undefined || length < 0xa1 || length > 0xbf) return null
  const from = at + 6
  const to = from + (length - 0xa0)
  return to > head.length ? null : head.toString('latin1', from, to)
}

function send(from: Socket, to: Socket, bytes: Buffer): void {
  if (to.writable && !to.write(bytes)) from.pause()
}

function flow(socket: Socket, isOpen: boolean): void {
  if (isOpen) socket.resume()
  else socket.pause()
}

function end({ dialer, owner }: Line): void {
  dialer.destroy()
  owner.destroy()
}
