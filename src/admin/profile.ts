import { accessSync, constants } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { GatewayError } from '../lib/errors.js'
import { decode } from '../spec/decode.js'
import { object, string } from '../spec/schema.js'
import { parseYaml } from '../spec/yaml.js'
import { type Call, EMPTY, type Handler } from './call.js'
import { value } from './reads.js'

const WANTED = object({ path: string({ doc: 'Of the file, on the node.', min: 1 }) })

export const getProfile: Handler = async (call) => {
  const { cpuFile, heapFile } = call.around.node.profiles()
  return value(call, { cpuPath: cpuFile ?? '', memoryPath: heapFile ?? '' })
}

/** Every thread has a file of its own, with its name behind `path`. */
export const startCpuProfile: Handler = async (call) => {
  const { node } = call.around
  const cpuFile = await pathOf(call)
  node.setProfiles({ ...node.profiles(), cpuFile })
  return { status: 200, body: EMPTY, version: null }
}

export const startMemoryProfile: Handler = async (call) => {
  const { node } = call.around
  const heapFile = await pathOf(call)
  node.setProfiles({ ...node.profiles(), heapFile })
  return { status: 200, body: EMPTY, version: null }
}

/** Both are written now. */
export const stopProfiles: Handler = async (call) => {
  call.query.expectOnly()
  call.around.node.setProfiles({ cpuFile: null, heapFile: null })
  return { status: 200, body: EMPTY, version: null }
}

async function pathOf(call: Call): Promise<string> {
  call.query.expectOnly()
  const parsed = parseYaml(await call.readText())
  const decoded = parsed.ok ? decode(WANTED, parsed.documents[0]?.value ?? {}) : null
  if (decoded?.ok !== true) throw new GatewayError('REQUEST_INVALID', 'missing path')
  const path = resolve(call.around.node.homeDir, decoded.value.path)
  try {
    accessSync(dirname(path), constants.W_OK)
  } catch {
    throw new GatewayError('REQUEST_INVALID', `path: no file can be made in ${dirname(path)}`)
  }
  return path
}
