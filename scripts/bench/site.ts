import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { Child, Household } from './children.js'
import type { MixEntry } from './mixes.js'
import type { Cores } from './tools.js'

/** What every side of a comparison is set up to do: its configuration is generated from this. */
export interface Site {
  /** Ports of the back ends on 127.0.0.1, asked in turn. */
  readonly backEnds: readonly number[]
  /** Answered without a back end, with a body of so many bytes; null: everything is proxied. */
  readonly mockBytes: number | null
  /** Connections to back ends that may be kept. */
  readonly connections: number
  /** Processes or threads that carry traffic. */
  readonly workers: number
  /** Header fields that are set on each request on its way. */
  readonly fieldsSet: number
  /** Bodies of megabytes: they stream, and buffers suit them. */
  readonly bigBodies: boolean
  readonly accessLog: boolean
  /** Served over TLS with these. */
  readonly tls: TlsFiles | null
  /** Paths that are told apart, tried in order; all lead to the same. */
  readonly routes: readonly PathRoute[]
}

/** Has one of the three. */
export interface PathRoute {
  readonly path?: string
  readonly pathPrefix?: string
  readonly pathRegexp?: string
}

export const PLAIN_SITE: Site = {
  backEnds: [],
  mockBytes: null,
  connections: 64,
  workers: 1,
  fieldsSet: 0,
  bigBodies: false,
  accessLog: false,
  tls: null,
  routes: [],
}

/** Where a peer is to be started. */
export interface Place {
  readonly household: Household
  readonly cores: Cores
}

/** Something that is measured: a running server. */
export interface Subject {
  readonly name: string
  readonly version: string
  readonly child: Child
  readonly port: number
  readonly tls: boolean
  /** Of the admin API; null where there is none. */
  readonly adminPort: number | null
  /** Absent: not while it runs. */
  readonly changing?: Changing
}

/** How those who run a server give it another configuration while it carries traffic. */
export type Changing =
  | {
      readonly port: number
      /** Sent in turn, so that none is like the one before. */
      readonly requests: readonly MixEntry[]
    }
  | { reload(): void }

export interface Peer {
  readonly name: string
  /** A build of this gateway. */
  readonly isOurs: boolean
  readonly version: string
  /** Rejects with {@link UnsupportedError} when it cannot do what `site` asks. */
  start(place: Place, site: Site): Promise<Subject>
}

/** A peer that cannot do something: the message says why, and the others go on. */
export class UnsupportedError extends Error {}

/** The name and value of the n-th field that is set on requests. */
export const fieldSet = (n: number): readonly [name: string, value: string] => [
  `X-Bench-${n}`,
  `value-${n}`,
]

export const fieldsSet = (site: Site): (readonly [name: string, value: string])[] =>
  Array.from({ length: site.fieldsSet }, (_, i) => fieldSet(i + 1))

const PATTERN = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_'

/** The body of every answer, as the origin makes it. */
export function bodyOf(bytes: number): string {
  return PATTERN.repeat(Math.ceil(bytes / PATTERN.length)).slice(0, bytes)
}

/** Headers of a mocked answer beside Content-Length and Date: as nginx sends them. */
export const MOCK_HEADERS = { Server: 'nginx', 'Content-Type': 'text/plain' } as const

export interface TlsFiles {
  readonly cert: string
  readonly key: string
  /** Both in one file, as HAProxy wants them. */
  readonly both: string
}

/** A certificate for 127.0.0.1 and localhost (P-256, as most sites have). Null without openssl. */
export function makeTlsFiles(household: Household): TlsFiles | null {
  const folder = household.newFolder('tls')
  const cert = join(folder, 'cert.pem')
  const key = join(folder, 'key.pem')
  const both = join(folder, 'both.pem')
  const script = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$2" -out "$1" && cat "$1" "$2" > "$3"`
  const done = spawnSync('sh', ['-c', script, 'sh', cert, key, both])
  return done.status === 0 ? { cert, key, both } : null
}
