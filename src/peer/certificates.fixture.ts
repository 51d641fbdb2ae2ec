import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerTls } from './node-transport.js'

/** Makes real certificates with the openssl command line. */
export class Authority {
  readonly #dir: string
  readonly #serial = { next: 1 }

  private constructor(dir: string) {
    this.#dir = dir
  }

  /** Null when there is no openssl here. */
  static create(): Authority | null {
    if (spawnSync('openssl', ['version']).status !== 0) return null
    const authority = new Authority(mkdtempSync(join(tmpdir(), 'peer-certificates-')))
    authority.#openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test authority'],
    )
    return authority
  }

  /** `names`: DNS names in subjectAltName; none: the common name stands alone. */
  issue(common: string, names: readonly string[], days = 2): PeerTls {
    const serial = this.#serial.next++
    const [key, csr, pem, ext] = ['key', 'csr', 'pem', 'ext'].map((end) => `m${serial}.${end}`) as [
      string,
      string,
      string,
      string,
    ]
    this.#openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', key, '-out', csr, '-subj', `/CN=${common}`],
    )
    const alternatives = names.map((name) => `DNS:${name}`).join(',')
    const lines = ['extendedKeyUsage=serverAuth,clientAuth']
    if (alternatives !== '') lines.push(`subjectAltName=${alternatives}`)
    writeFileSync(join(this.#dir, ext), lines.join('\n'))
    this.#openssl(
      ...['x509', '-req', '-in', csr, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-extfile', ext],
      ...['-set_serial', String(serial), '-days', String(days), '-out', pem],
    )
    const read = (file: string): string => readFileSync(join(this.#dir, file), 'utf8')
    return { cert: read(pem), key: read(key), ca: read('ca.pem') }
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #openssl(...args: string[]): void {
    const done = spawnSync('openssl', args, { cwd: this.#dir, encoding: 'utf8' })
    if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`)
  }
}
