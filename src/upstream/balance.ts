/** What a policy may look at. An `Exchange` is one; the address is computed only when read. */
export interface BalanceInput {
  readonly realIp: string
  readonly request: { readonly headers: { get(name: string): string | null } }
}

/** Picks the server of a list that gets a request: an index from 0 to the list's length - 1. */
export interface Balancer {
  pick(input: BalanceInput): number
  /** What `pick` would give, taking no turn; -1 where chance decides. */
  peek(input: BalanceInput): number
}

/** Wire names of the policies; `cookieHash` is of v2 alone. */
export const BALANCE_POLICIES = [
  'roundRobin',
  'random',
  'weightedRandom',
  'ipHash',
  'headerHash',
  'cookieHash',
] as const
export type BalancePolicy = (typeof BALANCE_POLICIES)[number]

export interface BalanceOptions {
  readonly policy: BalancePolicy
  /** One for each server, whole numbers of at least 0; at least one server. */
  readonly weights: readonly number[]
  /** For `headerHash`; in lower case. */
  readonly headerName: string
  /** For `roundRobin`: a word that all workers of the node count with, so they take turns. */
  readonly words: Int32Array
  readonly wordIndex: number
  /** A whole number in 0..limit-1. */
  random(limit: number): number
  /** Of text whose units are bytes, to 32 bits; FNV-1a, which v1 has, unless given. */
  readonly hash?: (text: string) => number
}

/** The policy as Easegress has it: compat/traffic-v1.md, "Load balancing"; traffic-v2.md §7.1.1. */
export function createBalancer(options: BalanceOptions): Balancer {
  const { policy, weights, headerName, words, wordIndex, hash = fnv1a32 } = options
  const servers = weights.length
  switch (policy) {
    case 'roundRobin':
      return servers === 1 ? ALWAYS_FIRST : new RoundRobin(servers, words, wordIndex)
    case 'random':
      return new Uniform(servers, options)
    case 'weightedRandom':
      // Without any weight all are equal; the original panics.
      return sum(weights) > 0 ? new Weighted(weights, options) : new Uniform(servers, options)
    case 'ipHash':
      return new IpHash(servers, hash)
    case 'headerHash':
      return new HeaderHash(servers, headerName, hash)
    case 'cookieHash':
      return new HeaderHash(servers, 'cookie', hash)
  }
}

interface RandomSource {
  random(limit: number): number
}

const ALWAYS_FIRST: Balancer = { pick: () => 0, peek: () => 0 }

class RoundRobin implements Balancer {
  readonly #servers: number
  readonly #words: Int32Array
  readonly #index: number

  constructor(servers: number, words: Int32Array, index: number) {
    this.#servers = servers
    this.#words = words
    this.#index = index
  }

  /** The count wraps at 2^32, where one turn may be cut short. */
  pick(): number {
    return (Atomics.add(this.#words, this.#index, 1) >>> 0) % this.#servers
  }

  peek(): number {
    return (Atomics.load(this.#words, this.#index) >>> 0) % this.#servers
  }
}

class Uniform implements Balancer {
  readonly #servers: number
  readonly #source: RandomSource

  constructor(servers: number, source: RandomSource) {
    this.#servers = servers
    this.#source = source
  }

  pick(): number {
    return this.#source.random(this.#servers)
  }

  peek(): number {
    return -1
  }
}

class Weighted implements Balancer {
  readonly #weights: readonly number[]
  readonly #sum: number
  readonly #source: RandomSource

  constructor(weights: readonly number[], source: RandomSource) {
    this.#weights = weights
    this.#sum = sum(weights)
    this.#source = source
  }

  pick(): number {
    const weights = this.#weights
    let left = this.#source.random(this.#sum)
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i] as number
      if (left < 0) return i
    }
    return weights.length - 1
  }

  peek(): number {
    return -1
  }
}

class IpHash implements Balancer {
  readonly #servers: number
  readonly #hash: (text: string) => number

  constructor(servers: number, hash: (text: string) => number) {
    this.#servers = servers
    this.#hash = hash
  }

  pick(input: BalanceInput): number {
    return this.#hash(input.realIp) % this.#servers
  }

  peek(input: BalanceInput): number {
    return this.pick(input)
  }
}

class HeaderHash implements Balancer {
  readonly #servers: number
  readonly #name: string
  readonly #hash: (text: string) => number

  constructor(servers: number, name: string, hash: (text: string) => number) {
    this.#servers = servers
    this.#name = name
    this.#hash = hash
  }

  pick(input: BalanceInput): number {
    return this.#hash(input.request.headers.get(this.#name) ?? '') % this.#servers
  }

  peek(input: BalanceInput): number {
    return this.pick(input)
  }
}

function sum(weights: readonly number[]): number {
  let total = 0
  for (const weight of weights) total += weight
  return total
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo), of text whose units are bytes. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ (text.charCodeAt(i) & 0xff), 0x01000193)
  }
  return hash >>> 0
}

/** FNV-1, 32 bits: as FNV-1a, but multiplies first. */
export function fnv132(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash, 0x01000193) ^ (text.charCodeAt(i) & 0xff)
  }
  return hash >>> 0
}
