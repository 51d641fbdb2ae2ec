type Json = Readonly<Record<string, unknown>>

const isMapping = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Whether `value` is valid under a JSON Schema (draft 2020-12), as an editor would judge it. Knows
 * the keywords that our schemas use, and throws for any other.
 */
export function isValid(schema: unknown, value: unknown, root: unknown = schema): boolean {
  if (typeof schema === 'boolean') return schema
  const { if: condition, then: consequence, ...keywords } = schema as Json
  if (condition !== undefined && isValid(condition, value, root)) {
    if (!isValid(consequence, value, root)) return false
  }
  return Object.entries(keywords).every(([keyword, rule]) => {
    const check = KEYWORDS[keyword]
    if (check === undefined) throw new Error(`keyword ${keyword} is not known`)
    return check(rule, value, {
      schema: schema as Json,
      valid: (s, v) => isValid(s, v, root),
      root,
    })
  })
}

interface Around {
  readonly schema: Json
  readonly root: unknown
  valid(schema: unknown, value: unknown): boolean
}
type Check = (rule: unknown, value: unknown, around: Around) => boolean

const always: Check = () => true
const number =
  (compare: (value: number, rule: number) => boolean): Check =>
  (rule, value) =>
    typeof value !== 'number' || compare(value, rule as number)
const text =
  (compare: (value: string, rule: unknown) => boolean): Check =>
  (rule, value) =>
    typeof value !== 'string' || compare(value, rule)
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isMapping,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
}

const KEYWORDS: Readonly<Record<string, Check>> = {
  $schema: always,
  $defs: always,
  title: always,
  description: always,
  default: always,
  format: always,
  contentEncoding: always,
  $ref: (rule, value, { root, valid }) => {
    const path = String(rule).replace(/^#\//, '').split('/')
    const found = path.reduce<unknown>((at, key) => (at as Json)[key], root)
    return valid(found, value)
  },
  type: (rule, value) => [rule].flat().some((type) => TYPES[type as string]?.(value)),
  const: (rule, value) => same(rule, value),
  enum: (rule, value) => (rule as unknown[]).some((each) => same(each, value)),
  required: (rule, value) =>
    !isMapping(value) || (rule as string[]).every((key) => Object.hasOwn(value, key)),
  properties: (rule, value, { valid }) =>
    !isMapping(value) ||
    Object.entries(rule as Json).every(
      ([key, schema]) => !Object.hasOwn(value, key) || valid(schema, value[key]),
    ),
  additionalProperties: (rule, value, { schema, valid }) => {
    const known = (schema['properties'] ?? {}) as Json
    return (
      !isMapping(value) ||
      Object.entries(value).every(([key, each]) => Object.hasOwn(known, key) || valid(rule, each))
    )
  },
  propertyNames: (rule, value, { valid }) =>
    !isMapping(value) || Object.keys(value).every((key) => valid(rule, key)),
  minProperties: (rule, value) =>
    !isMapping(value) || Object.keys(value).length >= (rule as number),
  items: (rule, value, { valid }) =>
    !Array.isArray(value) || value.every((each) => valid(rule, each)),
  prefixItems: (rule, value, { valid }) =>
    !Array.isArray(value) ||
    (rule as unknown[]).every((schema, i) => i >= value.length || valid(schema, value[i])),
  minItems: (rule, value) => !Array.isArray(value) || value.length >= (rule as number),
  maxItems: (rule, value) => !Array.isArray(value) || value.length <= (rule as number),
  uniqueItems: (rule, value) =>
    rule !== true ||
    !Array.isArray(value) ||
    new Set(value.map((each) => JSON.stringify(each))).size === value.length,
  minimum: number((value, rule) => value >= rule),
  maximum: number((value, rule) => value <= rule),
  exclusiveMinimum: number((value, rule) => value > rule),
  exclusiveMaximum: number((value, rule) => value < rule),
  minLength: text((value, rule) => value.length >= (rule as number)),
  maxLength: text((value, rule) => value.length <= (rule as number)),
  pattern: text((value, rule) => new RegExp(rule as string, 'u').test(value)),
  allOf: (rule, value, { valid }) => (rule as unknown[]).every((each) => valid(each, value)),
  anyOf: (rule, value, { valid }) => (rule as unknown[]).some((each) => valid(each, value)),
  oneOf: (rule, value, { valid }) =>
    (rule as unknown[]).filter((each) => valid(each, value)).length === 1,
  not: (rule, value, { valid }) => !valid(rule, value),
}
