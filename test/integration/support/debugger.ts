import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'

const ADDRESS = /ws:\/\/127\.0\.0\.1:(\d+)(\/[0-9a-f-]+)/g

/** `NODE_OPTIONS` of a program whose main thread can be told what to do by {@link evaluate}. */
export const DEBUGGED = '--inspect=127.0.0.1:0'

/** Where the debugger of the process that started last listens, by what it all printed. */
export function debuggerIn(stderr: string): { port: number; path: string } {
  const found = [...stderr.matchAll(ADDRESS)].at(-1)
  if (found === undefined) throw new Error('no debugger listens')
  return { port: Number(found[1]), path: found[2] as string }
}

/**
 * Has the main thread of a process evaluate an expression, by way of Node's debugger: RFC 6455 as
 * far as it takes to send one short text. Resolves when it was sent.
 */
export function evaluate(stderr: string, expression: string): Promise<void> {
  const { port, path } = debuggerIn(stderr)
  const order = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } })
  if (order.length > 125) throw new Error('too long for a frame with a short length')
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', reject)
    socket.once('data', (answer: Buffer) => {
      if (!answer.toString('latin1').startsWith('HTTP/1.1 101 ')) {
        reject(new Error(`the debugger says ${answer.toString('latin1')}`))
        return
      }
      // A final frame of text, masked with zeros.
      const head = Buffer.from([0x81, 0x80 | order.length, 0, 0, 0, 0])
      socket.write(Buffer.concat([head, Buffer.from(order)]), () => resolve())
      socket.unref()
    })
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    )
  })
}
