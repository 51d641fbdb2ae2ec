/** What a connection has begun with so far, as far as TLS is concerned. */
export type Greeting =
  | { readonly isWhole: false }
  /** `serverName` is the host the client asks for, as it wrote it; empty when it names none. */
  | { readonly isWhole: true; readonly serverName: string }

const MORE: Greeting = { isWhole: false }
/** Not a greeting of TLS: whoever speaks TLS will find out what is wrong with it. */
const NO_NAME: Greeting = { isWhole: true, serverName: '' }

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const RECORD_HEAD_BYTES = 5
const RECORD_BYTES_MAX = 16_384
/** More than this is no greeting that anybody sends. */
const HELLO_BYTES_MAX = 65_536
const SERVER_NAME = 0
const HOST_NAME = 0

/** Reads the host that a client asks for out of its ClientHello (RFC 8446 §4.1.2, RFC 6066 §3). */
export function readGreeting(bytes: Uint8Array): Greeting {
  const hello = helloOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  if (hello === null) return NO_NAME
  if (hello === undefined) return MORE
  const name = serverNameIn(new Reader(hello))
  return name === '' ? NO_NAME : { isWhole: true, serverName: name }
}

/** The message without its head; undefined while there is more to come, null when it is no such. */
function helloOf(bytes: Buffer): Buffer | undefined | null {
  let message = Buffer.alloc(0)
  for (let at = 0; ; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return null
    if (bytes.length < at + RECORD_HEAD_BYTES) return undefined
    const length = bytes.readUInt16BE(at + 3)
    if (length === 0 || length > RECORD_BYTES_MAX) return null
    const from = at + RECORD_HEAD_BYTES
    message = Buffer.concat([message, bytes.subarray(from, from + length)])
    if (message.length > 0 && message[0] !== CLIENT_HELLO) return null
    if (message.length >= 4) {
      const size = message.readUIntBE(1, 3)
      if (size > HELLO_BYTES_MAX) return null
      if (message.length >= 4 + size) return message.subarray(4, 4 + size)
    }
    if (bytes.length < from + length) return undefined
    at = from + length
  }
}

/** Empty when there is none, or the message is not what it should be. */
function serverNameIn(hello: Reader): string {
  hello.skip(2 + 32) // version, random
  hello.skip(hello.number(1)) // session
  hello.skip(hello.number(2)) // ciphers
  hello.skip(hello.number(1)) // compression
  const extensions = hello.part(hello.number(2))
  while (extensions.left > 0) {
    const type = extensions.number(2)
    const extension = extensions.part(extensions.number(2))
    if (type !== SERVER_NAME) continue
    const names = extension.part(extension.number(2))
    while (names.left > 0) {
      const kind = names.number(1)
      const name = names.part(names.number(2))
      if (kind === HOST_NAME) return name.text()
    }
  }
  return ''
}

/** Reads on to the end, behind which there are zeros and nothing else. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return Math.max(0, this.#bytes.length - this.#at)
  }

  number(size: number): number {
    const at = this.#at
    this.#at += size
    return this.#at > this.#bytes.length ? 0 : this.#bytes.readUIntBE(at, size)
  }

  skip(size: number): void {
    this.#at += size
  }

  part(size: number): Reader {
    const at = this.#at
    this.#at += size
    return new Reader(this.#bytes.subarray(at, this.#at))
  }

  text(): string {
    return this.#bytes.toString('latin1')
  }
}
