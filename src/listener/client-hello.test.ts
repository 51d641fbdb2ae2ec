import { Duplex } from 'node:stream'
import { connect } from 'node:tls'
import { expect, it } from 'vitest'
import { readGreeting } from './client-hello.js'

/** The first bytes of a real client. */
function helloFor(servername: string | undefined, more: object = {}): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk)
        setImmediate(() => socket.destroy())
        done()
      },
    })
    const socket = connect({
      socket: wire,
      ...(servername === undefined ? {} : { servername }),
      ...more,
    })
    socket.on('error', () => {})
  })
}

const MORE = { isWhole: false }
const named = (serverName: string) => ({ isWhole: true, serverName })

it.each(['a.test', 'x'.repeat(63), 'UPPER.test'])('finds %s, byte by byte too', async (name) => {
  const hello = await helloFor(name)
  for (let size = 0; size < hello.length; size++) {
    expect(readGreeting(hello.subarray(0, size)), String(size)).toEqual(MORE)
  }
  expect(readGreeting(hello)).toEqual(named(name))
  expect(readGreeting(Buffer.concat([hello, Buffer.from('more')]))).toEqual(named(name))
})

it('finds it in TLS 1.2, and none where there is none', async () => {
  expect(readGreeting(await helloFor('a.test', { maxVersion: 'TLSv1.2' }))).toEqual(named('a.test'))
  expect(readGreeting(await helloFor(undefined))).toEqual(named(''))
})

it('finds it in a greeting cut into records', async () => {
  const message = (await helloFor('a.test')).subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += 7) {
    const part = message.subarray(at, at + 7)
    records.push(Buffer.from([22, 3, 1, 0, part.length]), part)
  }
  const bytes = Buffer.concat(records)
  expect(readGreeting(bytes)).toEqual(named('a.test'))
  expect(readGreeting(bytes.subarray(0, -1))).toEqual(MORE)
})

it.each<[name: string, bytes: Buffer, want: object]>([
  ['nothing', Buffer.alloc(0), MORE],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), named('')],
  ['an alert', Buffer.from('15030100020100', 'hex'), named('')],
  ['a record without bytes', Buffer.from('1603010000', 'hex'), named('')],
  ['a record that is too long', Buffer.from('160301ffff', 'hex'), named('')],
  ['another message', Buffer.from('160301000402000000', 'hex'), named('')],
  ['a message that is too long', Buffer.from('160301000401ffffff', 'hex'), named('')],
  ['a greeting without anything', Buffer.from('160301000401000000', 'hex'), named('')],
  ['lengths that lie', Buffer.from('16030100080100000401ffffff', 'hex'), named('')],
])('%s', (_name, bytes, want) => {
  expect(readGreeting(bytes)).toEqual(want)
})

it('no damage makes it throw, or find more than was there', async () => {
  const hello = await helloFor('a.test')
  for (let at = 0; at < hello.length; at++) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const damaged = Buffer.from(hello)
      damaged[at] = value
      const greeting = readGreeting(damaged)
      if (greeting.isWhole) expect(greeting.serverName.length).toBeLessThan(600)
    }
  }
})
