import {
  CATALOGUE_FIXTURE,
  CoordinatorFixture,
  NodeFixture,
  spawnCoordinator,
} from '../admin/coordinator.fixture.js'
import { type AdminOptions, createAdminServer } from '../admin/server.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { egctl } from './egctl.js'
import type { CliIo } from './io.js'

/** What a run of egctl came to. */
export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface Given {
  stdin?: string
  files?: Record<string, string>
  env?: Record<string, string>
  hasColor?: boolean
  /** What the person at the editor does. */
  edit?: (text: string) => string
}

export interface Rig {
  readonly coordinator: CoordinatorFixture
  /** Runs `egctl` on a command line, which is cut at spaces, or on words. */
  readonly run: (line: string | readonly string[], given?: Given) => Promise<Ran>
  readonly port: number
}

export async function egctlWith(
  env: Record<string, string>,
  line: string | readonly string[],
  given: Given,
): Promise<Ran> {
  let out = ''
  let err = ''
  const io: CliIo = {
    env: { ...env, ...given.env },
    stdinIsTty: false,
    hasColor: given.hasColor ?? false,
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += `${text}\n`
    },
    readFile: async (path) => {
      const text = given.files?.[path]
      if (text === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
      return text
    },
    readStdin: async () => given.stdin ?? '',
    writeFile: async (path, text) => {
      if (given.files !== undefined) given.files[path] = text
    },
    edit: async (before, fileName) => {
      const text = given.edit?.(before) ?? before
      const path = `/tmp/${fileName}`
      if (given.files !== undefined) given.files[path] = text
      return {
        text,
        path,
        discard: async () => {
          delete given.files?.[path]
        },
      }
    },
  }
  const words = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line
  const code = await egctl(words, io)
  return { code, out, err }
}

/** A real admin server over a coordinator in memory. */
export async function withServer(
  use: (rig: Rig) => Promise<void>,
  options: Partial<AdminOptions> = {},
): Promise<void> {
  const coordinator = new CoordinatorFixture()
  const admin = createAdminServer({
    coordinator: spawnCoordinator(coordinator),
    catalogue: CATALOGUE_FIXTURE,
    options: {
      apiAddr: { host: '127.0.0.1', port: 0 },
      allowInsecureAdmin: false,
      basicAuth: {},
      tls: false,
      certFile: '',
      keyFile: '',
      clientCaFile: '',
      clusterRequestTimeoutMs: 5_000,
      ...options,
    },
    log: new MemoryLogger(),
    accessLog: null,
    node: new NodeFixture(),
  })
  await admin.listen()
  const port = admin.address?.port as number
  const env = { EGCTL_SERVER: `127.0.0.1:${port}` }
  try {
    await use({ coordinator, port, run: (line, given = {}) => egctlWith(env, line, given) })
  } finally {
    await admin.close(0)
  }
}
