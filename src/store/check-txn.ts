import { unreachable } from '../lib/assert.js'
import { GatewayError } from '../lib/errors.js'
import { type Compare, KEY_BYTES_MAX, type Limits, type Op } from './contract.js'

/**
 * What a store refuses before it proposes anything, the same in every implementation. Throws
 * REQUEST_INVALID naming the place, as in `then/3/key`.
 */
export function checkTxn(
  compares: readonly Compare[],
  thenOps: readonly Op[],
  elseOps: readonly Op[],
  limits: Limits,
): void {
  checkCount('compares', compares.length, limits)
  compares.forEach((compare, i) => {
    checkKey(`compares/${i}/key`, compare.key)
    if (compare.target !== 'value' && !isRevision(compare.operand)) {
      refuse(`compares/${i}/operand`, `expected 0..2^53-1, got ${compare.operand}`)
    }
  })
  checkOps('then', thenOps, limits)
  checkOps('else', elseOps, limits)
}

/** Whether one of the operations can change something. */
export function hasChanges(ops: readonly Op[]): boolean {
  return ops.some((op) => op.type !== 'get' && op.type !== 'range')
}

export function checkKey(where: string, key: string): void {
  if (key === '') refuse(where, 'expected a key, got an empty string')
  checkPrefix(where, key)
}

/** A prefix may be empty. */
export function checkPrefix(where: string, prefix: string): void {
  // With the u flag a surrogate that has its partner is part of a code point and does not match.
  if (/\p{Surrogate}/u.test(prefix)) refuse(where, 'expected well-formed Unicode')
  const bytes = Buffer.byteLength(prefix, 'utf8')
  if (bytes > KEY_BYTES_MAX) refuse(where, `expected at most ${KEY_BYTES_MAX} bytes, got ${bytes}`)
}

export function checkBytes(encodedBytes: number, limits: Limits): void {
  if (encodedBytes <= limits.bytesMax) return
  refuse('txn', `expected at most ${limits.bytesMax} bytes, got ${encodedBytes}`)
}

export function isRevision(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function checkOps(list: string, ops: readonly Op[], limits: Limits): void {
  checkCount(list, ops.length, limits)
  const put = new Set<string>()
  const deleted = new Set<string>()
  const prefixes: string[] = []
  ops.forEach((op, i) => {
    const where = `${list}/${i}/key`
    if (op.type === 'range') checkPrefix(where, op.prefix)
    else if (op.type === 'delete-prefix') {
      checkPrefix(where, op.prefix)
      prefixes.push(op.prefix)
    } else {
      checkKey(where, op.key)
      if (op.type === 'get') return
      if (put.has(op.key) || deleted.has(op.key)) {
        refuse(where, `"${op.key}" is changed twice in one transaction`)
      }
      if (op.type === 'put') put.add(op.key)
      else if (op.type === 'delete') deleted.add(op.key)
      else unreachable(op)
    }
  })
  for (const prefix of prefixes) {
    for (const key of put) {
      if (key.startsWith(prefix)) {
        refuse(list, `"${key}" is put and deleted (by its prefix "${prefix}") in one transaction`)
      }
    }
  }
}

function checkCount(list: string, count: number, limits: Limits): void {
  if (count > limits.opsMax) refuse(list, `expected at most ${limits.opsMax}, got ${count}`)
}

function refuse(where: string, problem: string): never {
  throw new GatewayError('REQUEST_INVALID', `${where}: ${problem}`, { where })
}
