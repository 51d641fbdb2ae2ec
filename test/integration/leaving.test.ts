/** Workers that end while others stay, and connections that come meanwhile. */
import { renameSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { httpServer, mock, pipeline } from './support/documents.js'
import { listenerCount } from './support/kernel.js'
import { freePort } from './support/ports.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()

/** Few enough that no worker waits long before it is started again. */
const CRASHES = 4
/** A long run on demand. */
const ROUNDS = Number(process.env['LEAVING_ROUNDS'] ?? 1)
const CLIENTS = 64

/** Between asking for a connection and sending on it: one that takes longer may be cut off. */
const LAG_MS_MAX = 25

/**
 * One connection, one request. Null when it was answered, else what happened: but for a client that
 * had no time to send when its connection was there.
 */
function askOnce(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const beganMs = performance.now()
    let sentMs = Number.POSITIVE_INFINITY
    const end = (what: string): void => resolve(sentMs - beganMs > LAG_MS_MAX ? null : what)
    const socket = connect(port, '127.0.0.1', () => {
      sentMs = performance.now()
    })
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', (error) => end(error.message))
    socket.on('close', () => {
      if (text.startsWith('HTTP/1.1 200')) resolve(null)
      else end(`got "${text}"`)
    })
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')))
  })
}

it.each(Array.from({ length: ROUNDS }, (_, i) => i + 1))(
  'a worker that ends cuts no connection that waits to be accepted (%s)',
  async () => {
    const home = world.dir()
    const faultFile = join(home, 'fault')
    const gateway = await world.gateway({ home, env: { EASEGRESS_FAULT_FILE: faultFile } })
    const port = await freePort()
    await gateway.create(pipeline('p', mock(200, 'here')))
    await gateway.create(httpServer('s', port, 'p', { keepAlive: false }))
    const failures: string[] = []
    let isOver = false
    let answers = 0
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (!isOver) {
        const failure = await askOnce(port)
        if (failure === null) answers += 1
        else failures.push(failure)
      }
    })
    for (let crash = 0; crash < CRASHES; crash++) {
      const worker = crash % 2
      writeFileSync(`${faultFile}.new`, `worker ${worker} throw\n`)
      renameSync(`${faultFile}.new`, faultFile)
      await until('the end of a worker', 5_000, () => listenerCount(port) === 1, 1)
      await until('its replacement', 15_000, () => listenerCount(port) === 2, 1)
      // Both get connections again: the program that led them away is gone.
      await sleep(150)
    }
    isOver = true
    await Promise.all(clients)
    expect(answers).toBeGreaterThan(CRASHES * 20)
    expect(failures).toEqual([])
    await gateway.dispose()
  },
  120_000,
)
