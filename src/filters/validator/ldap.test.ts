import type { TlsOptions } from 'node:tls'
import { expect, it } from 'vitest'
import { until } from '../../upstream/scripted-server.fixture.js'
import type { LdapSpec } from './basic-auth-spec.js'
import { LdapUsers } from './ldap.js'
import { FakeDirectory } from './ldap-server.fixture.js'
import {
  CLIENT_CERT,
  CLIENT_KEY,
  EXPIRED_CERT,
  LDAP_CA,
  NAMED_CERT,
  NAMED_KEY,
  SERVER_CERT,
  SERVER_KEY,
} from './ldap-tls.fixture.js'

const SERVER: TlsOptions = { cert: SERVER_CERT, key: SERVER_KEY }
const NAMED: TlsOptions = { cert: NAMED_CERT, key: NAMED_KEY }
const EXPIRED: TlsOptions = { cert: EXPIRED_CERT, key: SERVER_KEY }
const MUTUAL: TlsOptions = { ...SERVER, ca: LDAP_CA, requestCert: true, rejectUnauthorized: true }
const base64 = (pem: string): string => Buffer.from(pem).toString('base64')
const OWN = { certBase64: base64(CLIENT_CERT), keyBase64: base64(CLIENT_KEY) }

const SPEC: LdapSpec = {
  host: '127.0.0.1',
  port: 0,
  baseDN: 'dc=test',
  uid: 'uid',
  useSSL: false,
  skipTLS: false,
  insecure: false,
  serverName: '',
  certBase64: '',
  keyBase64: '',
}

/** Asks a directory with that certificate as that spec says: whether ann is let in, or why nobody is. */
async function askTls(
  tls: TlsOptions,
  more: Partial<LdapSpec>,
  ca: string,
  password = 'one',
): Promise<{ verdict: boolean | string; directory: FakeDirectory }> {
  const users = { 'uid=ann,dc=test': 'one' }
  const fromStart = more.useSSL === true
  const directory = await FakeDirectory.start(users, { ...tls, fromStart })
  const spec = { ...SPEC, port: directory.port, ...more }
  const verdict = await new LdapUsers(spec, ca).verify('ann', password).catch(codeOf)
  await until('the connection to close', () => directory.open === 0)
  await directory.stop()
  return { verdict, directory }
}

const codeOf = (thrown: Error & { code?: string }): string => thrown.code ?? thrown.message

it.each<
  [name: string, tls: TlsOptions, spec: Partial<LdapSpec>, ca: string, want: boolean | RegExp]
>([
  ['a certificate of a known authority', SERVER, {}, LDAP_CA, true],
  ['one of an unknown authority', SERVER, {}, '', /UNABLE_TO_VERIFY|SELF_SIGNED/],
  ['one of an unknown authority that is to be taken', SERVER, { insecure: true }, '', true],
  ['one for another host', NAMED, {}, LDAP_CA, /ALTNAME_INVALID/],
  ['one for the name that is expected', NAMED, { serverName: 'directory.test' }, LDAP_CA, true],
  ['one for another name', SERVER, { serverName: 'other.test' }, LDAP_CA, /ALTNAME_INVALID/],
  ['one that has expired', EXPIRED, {}, LDAP_CA, /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/],
  ['one that has expired and is to be taken', EXPIRED, { insecure: true }, LDAP_CA, true],
  ['a server that asks for ours', MUTUAL, OWN, LDAP_CA, true],
  ['a server that asks for ours, and there is none', MUTUAL, {}, LDAP_CA, /./],
])('LDAP over TLS: %s', async (_name, tls, spec, ca, want) => {
  for (const useSSL of [true, false]) {
    const { verdict, directory } = await askTls(tls, { ...spec, useSSL }, ca)
    if (want === true) {
      expect(verdict).toBe(true)
      expect(directory.clients).toEqual(spec.certBase64 === undefined ? [] : ['client.test'])
    } else {
      expect(verdict).toMatch(want as RegExp)
      // The password has not left this process.
      expect(directory.tried).toEqual([])
    }
    expect(directory.tlsAsked).toBe(useSSL ? 0 : 1)
  }
})

it.each([true, false])('LDAP over TLS: a wrong password, useSSL %s', async (useSSL) => {
  const { verdict, directory } = await askTls(SERVER, { useSSL }, LDAP_CA, 'two')
  expect([verdict, directory.tried]).toEqual([false, ['uid=ann,dc=test']])
})

it('many users at the same time over StartTLS', async () => {
  const users = { 'uid=ann,dc=test': 'one', 'uid=bob,dc=test': 'two' }
  const directory = await FakeDirectory.start(users, { ...SERVER, fromStart: false })
  const judge = new LdapUsers({ ...SPEC, port: directory.port }, LDAP_CA)
  const verdicts = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      judge.verify(i % 2 ? 'ann' : 'bob', i % 3 ? 'one' : 'two'),
    ),
  )
  expect(verdicts).toEqual(
    Array.from({ length: 20 }, (_, i) => (i % 2 ? i % 3 !== 0 : i % 3 === 0)),
  )
  await until('connections to close', () => directory.open === 0)
  await directory.stop()
})

it('a directory that agrees to TLS and says nothing more is given up', async () => {
  const directory = await FakeDirectory.start({})
  directory.stallsTls = true
  const judge = new LdapUsers({ ...SPEC, port: directory.port }, '', 50)
  await expect(judge.verify('ann', 'one')).rejects.toThrow('did not answer within 50 ms')
  await until('the connection to close', () => directory.open === 0)
  await directory.stop()
})
