/** Main thread and coordinator look after each other: one that hangs is started anew. */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { DEBUGGED, debuggerIn, evaluate } from './support/debugger.js'
import { httpServer, mock, pipeline } from './support/documents.js'
import type { Gateway } from './support/gateway.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { killPid } from './support/program.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

/** Longer than what either thread is given, on a machine with much else to do. */
const HANG_MS = 45_000
/** By then both have shown a pulse, and been seen to. Who never did may still be loading, for a minute. */
const PULSES_MS = 3_500
/** Three of them start at once. */
const START_MS = 45_000

const world = openWorld()

async function serving(env: Readonly<Record<string, string>>, home = world.dir()) {
  const gateway = await world.startGateway({ home, workers: 1, env })
  await gateway.healthy(START_MS)
  const port = await freePort()
  await gateway.create(pipeline('p', mock(200, 'here')))
  await gateway.create(httpServer('s', port, 'p'))
  await sleep(PULSES_MS)
  return { gateway, port, child: gateway.childPid() }
}

const isServed = async (port: number): Promise<boolean> =>
  (await ask({ port, timeoutMs: 5_000 })).text === 'here'

async function mainThread(): Promise<void> {
  const { gateway, port, child } = await serving({ NODE_OPTIONS: DEBUGGED })
  await until('a debugger', 5_000, () => debuggerIn(gateway.program.stderr))
  await evaluate(gateway.program.stderr, 'for(;;);')
  await until('a main thread that hangs', 5_000, () =>
    ask({ port: gateway.apiPort, path: '/apis/v1/healthz', timeoutMs: 500 }).then(
      () => false,
      () => true,
    ),
  )
  // Who has no need of it does not notice.
  expect(await isServed(port)).toBe(true)
  await until('another process', HANG_MS, () => gateway.childPid() !== child)
  await gateway.healthy()
  expect(await isServed(port)).toBe(true)
  expect(gateway.log).toContain('the main thread hangs')
  await gateway.dispose()
}

async function coordinator(): Promise<void> {
  const home = world.dir()
  const fault = join(home, 'fault')
  const { gateway, port, child } = await serving({ EASEGRESS_FAULT_FILE: fault }, home)
  writeFileSync(`${fault}.new`, 'coordinator loop\n')
  renameSync(`${fault}.new`, fault)
  await until('its end', HANG_MS, async () => {
    expect(await isServed(port)).toBe(true)
    return gateway.log.includes('the coordinator hangs')
  })
  await gateway.healthy()
  const version = await gateway.configVersion()
  await gateway.create(pipeline('q', mock(200, 'more')))
  expect(await gateway.configVersion()).toBe(version + 1)
  expect(await isServed(port)).toBe(true)
  expect(gateway.childPid()).toBe(child)
  await gateway.dispose()
}

async function stopped(gateway: Gateway, child: number): Promise<void> {
  killPid(child, 'SIGSTOP')
  await sleep(13_000)
  killPid(child, 'SIGCONT')
  await gateway.healthy()
  await sleep(1_500)
  expect(gateway.childPid()).toBe(child)
  expect(gateway.log).not.toContain('hangs')
  await gateway.dispose()
}

it('main thread and coordinator are started anew when they hang, and not when all stood still', async () => {
  const { gateway, child } = await serving({})
  await Promise.all([mainThread(), coordinator(), stopped(gateway, child)])
}, 180_000)
