import { GatewayError } from '../lib/errors.js'
import { parseYaml } from '../spec/yaml.js'

/** What v1 calls YAML. */
export const YAML_TYPE = 'text/vnd.yaml'

/** What v2 calls it. */
export const YAML_TYPE_V2 = 'text/x-yaml'

/** The value of a document that the coordinator accepted once; throws INTERNAL if it is none. */
export function parseStored(name: string, text: string): unknown {
  const parsed = parseYaml(text)
  if (!parsed.ok) throw new GatewayError('INTERNAL', `object ${name}: ${parsed.message}`)
  return parsed.documents[0]?.value ?? null
}

/** The same value with the keys of all its mappings in alphabetical order. */
export function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, each]) => [key, sortKeys(each)]))
}
