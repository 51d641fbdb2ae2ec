import { type FileHandle, open, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { GatewayError } from '../lib/errors.js'
import type { Call, Handler } from './call.js'
import { EMPTY } from './call.js'
import { text } from './reads.js'

const LINES_USUAL = 500
const CHUNK_BYTES = 64 * 1024
/** How soon new lines are seen by who follows. */
const LOOK_AGAIN_MS = 250

/** The log of this node: the last `tail` lines, -1 for all, and with `follow` what comes. */
export const readLogs: Handler = async (call) => {
  call.query.expectOnly('tail', 'follow')
  const lines = Number(call.query.get('tail') ?? LINES_USUAL)
  if (!Number.isInteger(lines) || lines < -1) {
    throw new GatewayError('REQUEST_INVALID', 'query parameter tail: expected a number, -1 for all')
  }
  const isFollowing = call.query.isSet('follow')
  const gone = new AbortController()
  call.request.socket.once('close', () => gone.abort())
  const chunks = linesOf(call.around.node.logFile, lines, isFollowing, gone.signal)
  return {
    status: 200,
    body: { type: 'stream', contentType: 'text/plain; charset=utf-8', chunks },
    version: null,
  }
}

async function* linesOf(
  path: string,
  lines: number,
  isFollowing: boolean,
  gone: AbortSignal,
): AsyncGenerator<string> {
  let file = await open(path, 'r')
  try {
    let at = lines === -1 ? 0 : await startOfLast(file, lines)
    const decoder = new TextDecoder()
    for (;;) {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, at)
        if (bytesRead === 0) break
        at += bytesRead
        yield decoder.decode(buffer.subarray(0, bytesRead), { stream: true })
      }
      if (!isFollowing || gone.aborted) return
      await sleep(LOOK_AGAIN_MS, null, { signal: gone }).catch(() => {})
      if (!(await isSame(file, path, at))) {
        // Rotated: what is new is in a new file.
        await file.close()
        file = await open(path, 'r')
        at = 0
      }
    }
  } finally {
    await file.close()
  }
}

/** Whether `path` is still the file, and has not been cut. */
async function isSame(file: FileHandle, path: string, at: number): Promise<boolean> {
  const [own, there] = await Promise.all([file.stat(), stat(path).catch(() => null)])
  return there === null || (own.ino === there.ino && there.size >= at)
}

/** Where the last `lines` lines begin. */
async function startOfLast(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat()
  if (lines === 0) return size
  let left = lines
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - CHUNK_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - begin), 0, end - begin, begin)
    for (let i = bytesRead - 1; i >= 0; i--) {
      // The line feed at the very end closes the last line.
      if (buffer[i] !== 0x0a || begin + i === size - 1) continue
      left -= 1
      if (left === 0) return begin + i + 1
    }
    end = begin
  }
  return 0
}

export const getLogLevel: Handler = async (call) => {
  const { node } = call.around
  return text(call, `${node.logLevel()}\n`)
}

export const setLogLevel: Handler = async (call) => {
  call.query.expectOnly()
  const level = levelOf(call)
  call.around.node.setLogLevel(level)
  return { status: 200, body: EMPTY, version: null }
}

function levelOf({ params }: Call): 'info' | 'debug' {
  const { level } = params
  if (level === 'info' || level === 'debug') return level
  throw new GatewayError('REQUEST_INVALID', `level: expected info or debug, got ${level}`)
}
