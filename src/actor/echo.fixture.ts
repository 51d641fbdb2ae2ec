import { type MessagePort, workerData } from 'node:worker_threads'
import { assert, unreachable } from '../lib/assert.js'
import { systemTime } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import type { Actor, Asks, Reply } from './actor.js'
import { PortLink } from './link.js'
import { ActorSystem } from './system.js'
import type { ThreadData } from './threads.js'

/** What the thread of the tests understands. */
export type ToEcho =
  | ({ readonly type: 'echo'; readonly value: unknown } & Asks<unknown>)
  | ({
      readonly type: 'add'
      readonly memory: SharedArrayBuffer
      readonly times: number
    } & Asks<void>)
  | ({ readonly type: 'adopt'; readonly port: MessagePort } & Asks<void>)
  | ({ readonly type: 'refuse' } & Asks<void>)
  | ({ readonly type: 'crash' } & Asks<void>)
  | ({ readonly type: 'incarnation' } & Asks<number>)
  | ({ readonly type: 'keep' } & Asks<void>)
  | { readonly type: 'exit'; readonly code: number }
  | { readonly type: 'last-words'; readonly count: number }
  | { readonly type: 'throw' }

/** What it may say unasked. */
export type FromEcho = { readonly type: 'word'; readonly n: number }

class Echo implements Actor<ToEcho> {
  receive(m: ToEcho, reply: Reply): void {
    if (m.type === 'echo') reply.for(m).ok(m.value)
    else if (m.type === 'add') {
      const words = new Int32Array(m.memory)
      for (let i = 0; i < m.times; i++) Atomics.add(words, 0, 1)
      reply.for(m).ok()
    } else if (m.type === 'adopt') {
      m.port.postMessage('hello from the other thread')
      m.port.close()
      reply.for(m).ok()
    } else if (m.type === 'refuse') {
      reply.fail(new GatewayError('VERSION_CONFLICT', 'version is 4', { version: 4 }))
    } else if (m.type === 'crash') throw new Error('planted')
    else if (m.type === 'incarnation') reply.for(m).ok(data.incarnation)
    else if (m.type === 'keep') kept.push(reply)
    else if (m.type === 'exit') process.exit(m.code)
    else if (m.type === 'last-words') {
      for (let n = 1; n <= m.count; n++) link.remote.tell({ type: 'word', n })
      process.exit(1)
    } else if (m.type === 'throw') setImmediate(() => assert(false, 'planted outside of any actor'))
    else unreachable(m)
  }
}

const kept: Reply[] = []
const data = workerData as ThreadData<'main', null>
const log = new MemoryLogger()
const system = new ActorSystem({ time: systemTime, log, escalated: () => process.exit(1) })
const echo = system.spawn<ToEcho>('echo', () => new Echo(), { restarts: { backoffMinMs: 1 } })
const link = new PortLink<FromEcho>(data.ports.main, { name: 'tests', time: systemTime, log })
link.serve(echo)
