import { decode } from '../spec/decode.js'
import { formatProblems, problemAt } from '../spec/problem.js'
import { list, object, type SpecOf, string } from '../spec/schema.js'
import { parseYaml } from '../spec/yaml.js'
import { CliError } from './io.js'

const text = (doc: string) => string({ doc, default: '' })

const CONFIG = object({
  kind: text('`Config`.'),
  'current-context': text('Name of the context in use.'),
  contexts: list(
    object({
      name: text('What it is called.'),
      context: object(
        { cluster: text('Name of a cluster.'), user: text('Name of a user.') },
        { doc: 'Whom to be where.', default: {} },
      ),
    }),
    { doc: 'Pairs of cluster and user.', default: [] },
  ),
  clusters: list(
    object({
      name: text('What it is called.'),
      cluster: object(
        {
          server: text('`host:port` or a URL.'),
          'certificate-authority': text('File of authorities.'),
          'certificate-authority-data': text('The same in base64.'),
        },
        { doc: 'Where it is.', default: {} },
      ),
    }),
    { doc: 'Servers.', default: [] },
  ),
  users: list(
    object({
      name: text('What it is called.'),
      user: object(
        {
          username: text('For basic authentication.'),
          password: text('For basic authentication.'),
          'client-certificate': text('File of a certificate.'),
          'client-certificate-data': text('The same in base64.'),
          'client-key': text('File of its key.'),
          'client-key-data': text('The same in base64.'),
        },
        { doc: 'Who it is.', default: {} },
      ),
    }),
    { doc: 'Users.', default: [] },
  ),
})

/** What `~/.egctlrc` holds; compat/control-plane.md §4.8. */
export type Config = SpecOf<typeof CONFIG>

/** Throws a {@link CliError} for what makes no sense; fields that are not known are left alone. */
export function decodeConfig(path: string, yaml: string): Config {
  const parsed = parseYaml(yaml)
  if (!parsed.ok) {
    const { line, column } = parsed.position
    throw new CliError(`${path}:${line}:${column}: ${parsed.message}`)
  }
  const document = parsed.documents[0]
  const decoded = decode(CONFIG, document?.value ?? {}, { unknownFields: 'warn' })
  if (decoded.ok) return decoded.value
  const places = document?.locate(
    decoded.problems.map(({ path: at, isKey = false }) => ({ path: at, isKey })),
  )
  const problems = decoded.problems.map((finding, i) => problemAt(finding, places?.[i] ?? null))
  throw new CliError(`${path}: ${formatProblems(problems)}`)
}
