import { Command } from 'commander'
import type { ObjectDocument } from './documents.js'
import { CliError, type CliIo } from './io.js'
import { openSession } from './session.js'
import { CREATE, collect, told, writeObjects } from './write-objects.js'

interface ProxyOptions {
  readonly port?: string
  readonly rule?: string[]
  readonly tls?: boolean
  readonly autoCert?: boolean
  readonly caCertFile?: string
  readonly certFile?: string[]
  readonly keyFile?: string[]
  readonly dryRun?: boolean
}

/** `egctl create httpproxy …`: a server and a pipeline for each rule, without a file. */
export function httpProxy(io: CliIo): Command {
  return new Command('httpproxy')
    .description('create an HTTPServer with a pipeline for each rule')
    .argument('<name>', 'of the server; pipelines are NAME-0, NAME-1, …')
    .option('--port <number>', 'port to listen on')
    .option('--rule <rule>', '[HOST]/PATH=URL[,URL…]; a * at the end of PATH: prefix', collect)
    .option('--tls', 'serve HTTPS')
    .option('--auto-cert', 'get the certificate from the AutoCertManager')
    .option('--ca-cert-file <path>', 'demand certificates of these authorities from clients')
    .option('--cert-file <path>', 'certificate (PEM), again for more', collect)
    .option('--key-file <path>', 'its key, in the same order', collect)
    .option('--dry-run', 'check on the server, change nothing')
    .addHelpText(
      'after',
      `
Examples:
  egctl create httpproxy demo --port 10080 --rule '/api/*=http://127.0.0.1:9095,http://127.0.0.1:9096'
  egctl create httpproxy demo --port 10080 --rule 'a.com/x=http://a' --rule 'b.com/*=http://b'`,
    )
    .action(async (name: string, options: ProxyOptions, command: Command) => {
      // Its own --cert-file is no certificate for the admin API.
      const session = openSession(io, command.parent as Command)
      const { toYaml } = await import('../spec/yaml.js')
      const objects = await objectsOf(io, name, options)
      const documents = objects.map(
        (object): ObjectDocument => ({
          file: 'httpproxy',
          line: 1,
          text: toYaml(object),
          name: String(object['name']),
          kind: String(object['kind']),
        }),
      )
      const isTrial = options.dryRun === true
      await writeObjects(session, { ...CREATE, done: told(io) }, documents, isTrial)
    })
}

type Fields = Record<string, unknown>

/** Pipelines first: a server that names one that is not there gives a warning. */
async function objectsOf(io: CliIo, name: string, options: ProxyOptions): Promise<Fields[]> {
  const port = Number(options.port ?? Number.NaN)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new CliError(`--port: expected 1..65535, got ${options.port ?? 'nothing'}`)
  }
  if (options.rule === undefined) throw new CliError('--rule: expected at least one')
  const rules: { host?: string; paths: Fields[] }[] = []
  const pipelines: Fields[] = []
  for (const text of options.rule) {
    const { host, path, isPrefix, urls } = parseRule(text)
    const backend = `${name}-${pipelines.length}`
    pipelines.push(pipelineOf(backend, urls))
    const entry = { [isPrefix ? 'pathPrefix' : 'path']: path, backend }
    const last = rules.at(-1)
    if (last !== undefined && (last.host ?? '') === host) last.paths.push(entry)
    else rules.push({ ...(host === '' ? {} : { host }), paths: [entry] })
  }
  const head = { name, kind: 'HTTPServer', version: VERSION }
  return [...pipelines, { ...head, port, ...(await tlsOf(io, options)), rules }]
}

const VERSION = 'easegress.megaease.com/v2'

/** `[HOST]/PATH=URL[,URL…]`; throws {@link CliError}. */
export function parseRule(text: string): {
  readonly host: string
  readonly path: string
  readonly isPrefix: boolean
  readonly urls: readonly string[]
} {
  const match = /^([^/=]*)(\/[^=]*)=(.+)$/.exec(text)
  const urls = (match?.[3] ?? '').split(',').map((url) => url.trim())
  if (match === null || urls.includes('')) {
    throw new CliError(`--rule: expected [HOST]/PATH=URL[,URL…], got ${JSON.stringify(text)}`)
  }
  for (const url of urls) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new CliError(`--rule: expected http:// or https:// URLs, got ${JSON.stringify(url)}`)
    }
  }
  const [, host = '', path = ''] = match
  const isPrefix = path.endsWith('*')
  return { host, path: isPrefix ? path.slice(0, -1) : path, isPrefix, urls }
}

function pipelineOf(name: string, urls: readonly string[]): Fields {
  const pool = {
    servers: urls.map((url) => ({ url })),
    loadBalance: { policy: 'roundRobin' },
  }
  return {
    name,
    kind: 'Pipeline',
    version: VERSION,
    flow: [{ filter: 'proxy' }],
    filters: [{ name: 'proxy', kind: 'Proxy', pools: [pool] }],
  }
}

async function tlsOf(io: CliIo, options: ProxyOptions): Promise<Fields> {
  const { certFile = [], keyFile = [], caCertFile } = options
  if (certFile.length !== keyFile.length) {
    throw new CliError('--cert-file and --key-file: expected as many of one as of the other')
  }
  const base64 = async (flag: string, path: string): Promise<string> => {
    try {
      return Buffer.from(await io.readFile(path)).toString('base64')
    } catch (cause) {
      throw new CliError(`${flag}: cannot read ${path}`, { cause })
    }
  }
  const certs: Fields = {}
  const keys: Fields = {}
  for (const [i, path] of certFile.entries()) {
    certs[path] = await base64('--cert-file', path)
    keys[path] = await base64('--key-file', keyFile[i] as string)
  }
  return {
    ...(options.tls === true ? { https: true } : {}),
    ...(options.autoCert === true ? { autoCert: true } : {}),
    ...(caCertFile === undefined
      ? {}
      : { caCertBase64: await base64('--ca-cert-file', caCertFile) }),
    ...(certFile.length === 0 ? {} : { certs, keys }),
  }
}
