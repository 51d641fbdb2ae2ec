import { assert, unreachable } from '../../lib/assert.js'
import type { Compare, Op } from '../contract.js'
import { ByteReader, ByteWriter } from './bytes.js'

/**
 * What the log carries for the machine. New kinds are appended and written only once every member
 * of the cluster knows them; a kind that is not known stops the node (it is never skipped).
 */
export type Command =
  | {
      readonly type: 'txn'
      readonly compares: readonly Compare[]
      readonly thenOps: readonly Op[]
      readonly elseOps: readonly Op[]
    }
  /** The lease's id is the index of the entry that grants it. */
  | { readonly type: 'lease-grant'; readonly ttlMs: number }
  | { readonly type: 'lease-revoke'; readonly lease: number }

const KIND = { txn: 1, leaseGrant: 2, leaseRevoke: 3 } as const
const TARGETS = ['createRevision', 'modRevision', 'version', 'value'] as const
const RELATIONS = ['=', '!=', '<', '>'] as const
const OP = { put: 1, delete: 2, deletePrefix: 3, get: 4, range: 5 } as const

/** An entry written by a newer version of the program than this one. */
export class UnknownCommandError extends Error {
  override readonly name = 'UnknownCommandError'
}

export function encodeCommand(command: Command): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter()
  if (command.type === 'txn') {
    out.byte(KIND.txn)
    out.uint(command.compares.length)
    for (const compare of command.compares) writeCompare(out, compare)
    writeOps(out, command.thenOps)
    writeOps(out, command.elseOps)
  } else if (command.type === 'lease-grant') {
    out.byte(KIND.leaseGrant)
    out.uint(command.ttlMs)
  } else if (command.type === 'lease-revoke') {
    out.byte(KIND.leaseRevoke)
    out.uint(command.lease)
  } else unreachable(command)
  return out.finish()
}

/** Values in the result are views of `bytes`. Throws {@link UnknownCommandError}. */
export function decodeCommand(bytes: Uint8Array): Command {
  const input = new ByteReader(bytes)
  const command = readCommand(input)
  input.end()
  return command
}

function readCommand(input: ByteReader): Command {
  const kind = input.byte()
  if (kind === KIND.txn) {
    const compares = readList(input, readCompare)
    const thenOps = readList(input, readOp)
    return { type: 'txn', compares, thenOps, elseOps: readList(input, readOp) }
  }
  if (kind === KIND.leaseGrant) return { type: 'lease-grant', ttlMs: input.uint() }
  if (kind === KIND.leaseRevoke) return { type: 'lease-revoke', lease: input.uint() }
  throw new UnknownCommandError(
    `the log holds a command of kind ${kind}, which this version does not know; start a newer one`,
  )
}

function writeCompare(out: ByteWriter, compare: Compare): void {
  out.byte(TARGETS.indexOf(compare.target))
  out.byte(RELATIONS.indexOf(compare.is))
  out.text(compare.key)
  if (compare.target === 'value') out.bytes(compare.operand)
  else out.uint(compare.operand)
}

function readCompare(input: ByteReader): Compare {
  const target = TARGETS[input.byte()]
  const is = RELATIONS[input.byte()]
  const key = input.text()
  assert(target !== undefined && is !== undefined, 'unknown comparison')
  if (target !== 'value') return { target, key, is, operand: input.uint() }
  assert(is === '=' || is === '!=', 'values are not ordered')
  return { target, key, is, operand: input.bytes() }
}

function writeOps(out: ByteWriter, ops: readonly Op[]): void {
  out.uint(ops.length)
  for (const op of ops) writeOp(out, op)
}

function writeOp(out: ByteWriter, op: Op): void {
  if (op.type === 'put') {
    out.byte(OP.put)
    out.text(op.key)
    out.bytes(op.value)
    // A lease id is an index of the log, so never 0; ids of other forms are refused before.
    out.uint(op.lease === undefined ? 0 : Number(op.lease))
  } else if (op.type === 'delete') {
    out.byte(OP.delete)
    out.text(op.key)
  } else if (op.type === 'delete-prefix') {
    out.byte(OP.deletePrefix)
    out.text(op.prefix)
  } else if (op.type === 'get') {
    out.byte(OP.get)
    out.text(op.key)
  } else if (op.type === 'range') {
    out.byte(OP.range)
    out.text(op.prefix)
  } else unreachable(op)
}

function readOp(input: ByteReader): Op {
  const code = input.byte()
  if (code === OP.put) {
    const key = input.text()
    const value = input.bytes()
    const lease = input.uint()
    return lease === 0
      ? { type: 'put', key, value }
      : { type: 'put', key, value, lease: `${lease}` }
  }
  if (code === OP.delete) return { type: 'delete', key: input.text() }
  if (code === OP.deletePrefix) return { type: 'delete-prefix', prefix: input.text() }
  if (code === OP.get) return { type: 'get', key: input.text() }
  assert(code === OP.range, `unknown operation ${code}`)
  return { type: 'range', prefix: input.text() }
}

function readList<T>(input: ByteReader, readOne: (input: ByteReader) => T): T[] {
  const count = input.uint()
  const list: T[] = []
  for (let i = 0; i < count; i++) list.push(readOne(input))
  return list
}
