import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { bodyOf, PLAIN_SITE, type Site } from '../site.js'
import { findProgram } from '../tools.js'
import { caddyfile } from './caddy.js'
import { accessLogSwitch, dialectOf, easegressArgs, versionLine } from './easegress.js'
import { envoyConf } from './envoy.js'
import { haproxyConf } from './haproxy.js'
import { nginxConf } from './nginx.js'

const PORT = 23_456
const ADMIN_PORT = 23_457
const TLS = { cert: '/tmp/cert.pem', key: '/tmp/key.pem', both: '/tmp/both.pem' }
const PROXIED: Site = { ...PLAIN_SITE, backEnds: [4001] }

const SITES: readonly (readonly [name: string, site: Site])[] = [
  ['one back end', PROXIED],
  ['three back ends', { ...PLAIN_SITE, backEnds: [4001, 4002, 4003] }],
  ['nine fields', { ...PROXIED, fieldsSet: 9 }],
  ['big bodies', { ...PROXIED, bigBodies: true }],
  ['four workers', { ...PROXIED, workers: 4 }],
  [
    'routes',
    {
      ...PROXIED,
      routes: [{ path: '/a' }, { pathPrefix: '/b/' }, { pathRegexp: '^/c/[0-9]{2}$' }],
    },
  ],
  ['a mock of 64 bytes', { ...PLAIN_SITE, mockBytes: 64 }],
  ['a mock of 5,000 bytes', { ...PLAIN_SITE, mockBytes: 5000 }],
]

const GENERATORS = {
  nginx: (site: Site) => nginxConf(site, PORT, '/tmp/x'),
  haproxy: (site: Site) => haproxyConf(site, PORT),
  caddy: (site: Site) => caddyfile(site, { traffic: PORT, admin: ADMIN_PORT }, '/tmp/x'),
  envoy: (site: Site) => envoyConf(site, PORT),
}
const NAMES = Object.keys(GENERATORS) as (keyof typeof GENERATORS)[]

it.each(NAMES)('%s: asks every back end, on the one port', (name) => {
  const text = GENERATORS[name]({ ...PLAIN_SITE, backEnds: [4001, 4002] })
  for (const port of [PORT, 4001, 4002]) expect(text).toContain(String(port))
})

it.each(NAMES)('%s: sets as many fields as asked, and none otherwise', (name) => {
  expect(GENERATORS[name](PROXIED)).not.toContain('X-Bench-')
  const text = GENERATORS[name]({ ...PROXIED, fieldsSet: 9 })
  expect(text.match(/X-Bench-\d/g)).toHaveLength(9)
})

it.each(NAMES)('%s: a mock asks no back end and has the body and fields of all', (name) => {
  const text = GENERATORS[name]({ ...PLAIN_SITE, backEnds: [4001], mockBytes: 64 })
  expect(text).not.toContain('4001')
  expect(text).toContain(bodyOf(64))
  expect(text).toContain('text/plain')
})

it.each(NAMES)('%s: serves TLS with the certificate only when asked', (name) => {
  expect(GENERATORS[name](PROXIED)).not.toContain('.pem')
  expect(GENERATORS[name]({ ...PROXIED, tls: TLS })).toMatch(/\/tmp\/(cert|both)\.pem/)
})

/** What each program itself says about the configuration. */
const CHECKS: readonly (readonly [
  program: string,
  write: (site: Site, folder: string) => string,
  args: (path: string) => string[],
])[] = [
  ['nginx', (site, folder) => nginxConf(site, PORT, folder), (path) => ['-t', '-q', '-c', path]],
  ['haproxy', (site) => haproxyConf(site, PORT), (path) => ['-c', '-q', '-f', path]],
]

for (const [program, write, args] of CHECKS) {
  const path = findProgram(program)
  it.skipIf(path === null).each(SITES)(`${program} takes it: %s`, (_name, site) => {
    const folder = mkdtempSync(join(tmpdir(), 'easegress-bench-test-'))
    try {
      mkdirSync(join(folder, 'temp'))
      const file = join(folder, 'conf')
      writeFileSync(file, write(site, folder))
      const done = spawnSync(path as string, args(file), { encoding: 'utf8', cwd: folder })
      expect(done.status, done.stderr).toBe(0)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}

it('the bootstrap of Envoy is JSON', () => {
  for (const [, site] of SITES) expect(() => JSON.parse(envoyConf(site, PORT))).not.toThrow()
})

it.each([
  ['      --cluster-listen-client-urls strings', 'v1'],
  ['      --listen-client-urls strings', 'v2'],
  ['', 'v2'],
] as const)('an Easegress with the option %j speaks %s', (help, want) => {
  expect(dialectOf(help)).toBe(want)
})

it.each([
  ['      --disable-access    Flag to set whether', '--disable-access'],
  ['      --disable-access-log', '--disable-access-log'],
  ['      --log-dir string', null],
])('an Easegress with the option %j is told to write no access log by %j', (help, want) => {
  expect(accessLogSwitch(help)).toBe(want)
})

it.each([
  ['WARNING: a package is deprecated.\n\nEasegress v2.9.4\n', 'Easegress v2.9.4'],
  ['panic: no\n', 'easegress of an unknown version'],
])('the version in %j is %j', (told, want) => {
  expect(versionLine(told)).toBe(want)
})

it('an Easegress is kept off the usual ports', () => {
  const ports = { admin: 1, client: 2, peer: 3 }
  for (const dialect of ['v1', 'v2'] as const) {
    const line = easegressArgs(dialect, ports, '/tmp/x', ['--disable-access-log']).join(' ')
    expect(line).not.toMatch(/238[01]|2379/)
    expect(line).toContain('--disable-access-log')
    expect(line.includes('--cluster-listen-peer-urls')).toBe(dialect === 'v1')
  }
})
