import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

/** A certificate of that name, in DER. */
function certificate(subject: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'cert-'))
  const pem = execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-utf8',
      '-keyout',
      join(folder, 'key'),
      '-subj',
      subject,
      '-days',
      '1',
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  rmSync(folder, { recursive: true })
  return new X509Certificate(pem).raw
}

const LEAF = certificate(
  '/C=DE/ST=Bavaria/L=München/O=One/O=Two/OU=Dept/CN=client.test/street=Main 1/postalCode=80331/serialNumber=42',
)
const ROOT = certificate('/CN=root.test')

const TOLD: [string, string][] = [['tls-subject-commonname', 'forged']]

const shown = (fields: string, chain: readonly Uint8Array[] | null): Promise<string[]> => {
  let flat: readonly string[] = []
  return withPipeline(
    `filters: [{name: it, kind: CertExtractor, ${fields}}]`,
    (harness) => {
      const client = harness.start({ headers: TOLD }, (each) => {
        if (chain !== null) Object.assign(each, { peerCertificates: () => chain })
      })
      flat = client.ex.request.headers.flat
    },
    'v2',
  ).then(() => [...flat])
}

it.each<[fields: string, want: string[]]>([
  ['target: subject, field: CommonName', ['tls-subject-commonname', 'client.test']],
  [
    'target: issuer, field: CommonName, headerKey: X-Issuer',
    [...(TOLD[0] as string[]), 'x-issuer', 'client.test'],
  ],
  ['target: subject, field: CommonName, certIndex: 1', ['tls-subject-commonname', 'root.test']],
  ['target: subject, field: CommonName, certIndex: -1', ['tls-subject-commonname', 'root.test']],
  ['target: subject, field: CommonName, certIndex: 4', ['tls-subject-commonname', 'client.test']],
  [
    'target: subject, field: Organization, headerKey: tls-subject-commonname',
    ['tls-subject-commonname', 'One', 'tls-subject-commonname', 'Two'],
  ],
  [
    'target: subject, field: Country, headerKey: tls-subject-commonname',
    ['tls-subject-commonname', 'DE'],
  ],
  [
    'target: subject, field: Province, headerKey: tls-subject-commonname',
    ['tls-subject-commonname', 'Bavaria'],
  ],
  [
    'target: subject, field: Locality, headerKey: tls-subject-commonname',
    ['tls-subject-commonname', 'M\xc3\xbcnchen'],
  ],
  [
    'target: subject, field: OrganizationalUnit, headerKey: tls-subject-commonname',
    ['tls-subject-commonname', 'Dept'],
  ],
  [
    'target: subject, field: StreetAddress, headerKey: tls-subject-commonname',
    ['tls-subject-commonname', 'Main 1'],
  ],
  [
    'target: subject, field: PostalCode, headerKey: tls-subject-commonname',
    ['tls-subject-commonname', '80331'],
  ],
  [
    'target: subject, field: SerialNumber, headerKey: tls-subject-commonname',
    ['tls-subject-commonname', '42'],
  ],
])('%s', async (fields, want) => {
  expect(await shown(fields, [LEAF, ROOT])).toEqual(want)
})

it.each<[name: string, chain: readonly Uint8Array[] | null]>([
  ['no TLS', null],
  ['no certificate', []],
  ['no certificate but bytes', [Buffer.from('certificate')]],
  ['no such part', [ROOT]],
])('%s: what the client says itself is removed', async (_name, chain) => {
  const fields = 'target: subject, field: Organization, headerKey: tls-subject-commonname'
  expect(await shown(fields, chain)).toEqual([])
})

it.each<[fields: string, problem: string]>([
  ['field: Country', 'target: is required'],
  ['target: subject', 'field: is required'],
  ['target: owner\nfield: Country', 'target: expected one of subject, issuer'],
  ['target: subject\nfield: Town', 'field: expected one of Country'],
  ['target: subject\nfield: Country\ncertIndex: 40000', 'certIndex'],
  ['target: subject\nfield: Country\nheaderKey: "a b"', 'headerKey: expected the name of a header'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('CertExtractor', fields, 'v2')).toContain(problem)
})
