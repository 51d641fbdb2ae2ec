import { fromLatin1 } from '../http/headers.js'
import { queryValue } from '../http/query.js'
import { type Address, type IpFilterSpec, IpTable } from '../lib/ip-table.js'
import { compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import type { RouteInput } from './router.js'
import type { ValueSpec } from './spec-v2.js'

/** As `IpFilter`, but for v2: allowIPs, where there are any, keep out all others. */
export class IpFilterV2 {
  readonly #allow: IpTable | null
  readonly #block: IpTable
  readonly #default: boolean

  constructor({ allowIPs = [], blockIPs = [], blockByDefault }: IpFilterSpec) {
    this.#allow = allowIPs.length === 0 ? null : new IpTable(allowIPs)
    this.#block = new IpTable(blockIPs)
    this.#default = !blockByDefault
  }

  /** Null stands for text that is no address. */
  allows(address: Address | null): boolean {
    if (address === null) return this.#default
    if (this.#allow !== null) {
      return this.#allow.has(address) && (!this.#block.has(address) || this.#default)
    }
    return !this.#block.has(address) && this.#default
  }
}

export function ipFilterV2(spec: IpFilterSpec | undefined): IpFilterV2 | null {
  return spec === undefined ? null : new IpFilterV2(spec)
}

/** Conditions on headers, or on query parameters, of a path (compat/traffic-v2.md §3.2). */
export class ValueConditions {
  readonly #conditions: readonly ValueCondition[]
  readonly #all: boolean
  readonly #read: (input: RouteInput, key: string) => string

  constructor(
    conditions: readonly ValueCondition[],
    all: boolean,
    read: (input: RouteInput, key: string) => string,
  ) {
    this.#conditions = conditions
    this.#all = all
    this.#read = read
  }

  hold(input: RouteInput): boolean {
    for (const condition of this.#conditions) {
      const value = this.#read(input, condition.key)
      if (this.#all ? !condition.isMetBy(value) : condition.isMetInPartBy(value)) return !this.#all
    }
    return this.#all
  }
}

class ValueCondition {
  readonly key: string
  readonly #values: ReadonlySet<string> | null
  readonly #regexp: LinearRegexp | null

  constructor(key: string, values: readonly string[], regexp: string | undefined) {
    this.key = key
    this.#values = values.length === 0 ? null : new Set(values)
    this.#regexp = regexp ? compileRegexp(regexp) : null
  }

  /** All that is said. */
  isMetBy(value: string): boolean {
    if (this.#values !== null && !this.#values.has(value)) return false
    return this.#regexp === null || this.#regexp.test(value)
  }

  isMetInPartBy(value: string): boolean {
    return this.#values?.has(value) === true || this.#regexp?.test(value) === true
  }
}

const headerOf = ({ request }: RouteInput, key: string): string =>
  fromLatin1(request.headers.get(key) ?? (key === 'host' ? request.host : ''))

const parameterOf = ({ request }: RouteInput, key: string): string =>
  queryValue(fromLatin1(request.query), key) ?? ''

export function headerConditions(
  specs: readonly ValueSpec[],
  all: boolean,
): ValueConditions | null {
  if (specs.length === 0) return null
  const conditions = specs.map(
    ({ key, values, regexp }) => new ValueCondition(key.toLowerCase(), values, regexp),
  )
  return new ValueConditions(conditions, all, headerOf)
}

export function queryConditions(specs: readonly ValueSpec[], all: boolean): ValueConditions | null {
  if (specs.length === 0) return null
  const conditions = specs.map(({ key, values, regexp }) => new ValueCondition(key, values, regexp))
  return new ValueConditions(conditions, all, parameterOf)
}
