import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { compileThreadFixture } from '../lib/thread-fixture.js'
import { AppendFile } from './append-file.js'
import { jsonLine, type LogRecord, textLine } from './log-format.js'
import { createLogger, FileSink, type LogSink } from './logger.js'
import { rfc3339 } from './timestamp.js'

class ListSink implements LogSink {
  readonly records: LogRecord[] = []
  write(record: LogRecord): void {
    this.records.push(record)
  }
}

function record(fields?: Record<string, unknown>, message = 'thing happened'): LogRecord {
  return {
    wallMs: Date.UTC(2021, 4, 1, 12, 0, 0, 7),
    level: 'warn',
    node: 'member-1',
    thread: 'worker-0',
    component: 'router',
    message,
    fields,
  }
}

/** The rest of a text line behind time, level and component. */
function textOf(fields?: Record<string, unknown>, message?: string): string {
  return textLine(record(fields, message)).split('\t').slice(3).join('\t')
}

it.each<[offsetMinutes: number, want: string]>([
  [0, '2021-05-01T12:00:00.007Z'],
  [480, '2021-05-01T20:00:00.007+08:00'],
  [-210, '2021-05-01T08:30:00.007-03:30'],
  [845, '2021-05-02T02:05:00.007+14:05'],
])('rfc3339 with %d minutes east of UTC', (offsetMinutes, want) => {
  const wallMs = Date.UTC(2021, 4, 1, 12, 0, 0, 7)
  expect(rfc3339(wallMs, offsetMinutes)).toBe(want)
  expect(Date.parse(want)).toBe(wallMs)
})

it('a JSON line has time, level, node, thread, component, message and fields', () => {
  const line = jsonLine(record({ term: 3, path: '/a "b"\n' }))
  expect(line.indexOf('\n')).toBe(line.length - 1)
  expect(JSON.parse(line)).toEqual({
    time: rfc3339(Date.UTC(2021, 4, 1, 12, 0, 0, 7)),
    level: 'warn',
    node: 'member-1',
    thread: 'worker-0',
    component: 'router',
    message: 'thing happened',
    fields: { term: 3, path: '/a "b"\n' },
  })
  expect(JSON.parse(jsonLine(record()))).not.toHaveProperty('fields')
})

it('a text line has four columns, the last with message and fields', () => {
  const [time, ...rest] = textLine(record({ count: 2, ok: true, why: 'no quorum' })).split('\t')
  expect(time).toBe(rfc3339(Date.UTC(2021, 4, 1, 12, 0, 0, 7)))
  expect(rest).toEqual(['WARN', 'router', 'thing happened count=2 ok=true why="no quorum"\n'])
})

it.each<[string, Record<string, unknown>, text: string, json: unknown]>([
  ['plain text', { a: 'x-1.2/y:8080' }, 'a=x-1.2/y:8080', { a: 'x-1.2/y:8080' }],
  ['empty text', { a: '' }, 'a=""', { a: '' }],
  ['text with a line end', { a: 'x\r\ny=1' }, 'a="x\\r\\ny=1"', { a: 'x\r\ny=1' }],
  [
    'text that steers a terminal',
    { a: '\u001b[2J\u009b' },
    'a="\\u001b[2J\\u009b"',
    { a: '\u001b[2J\u009b' },
  ],
  ['nothing', { a: undefined, b: null }, 'b=null', { b: null }],
  ['a bigint', { a: 12n }, 'a=12', { a: '12' }],
  ['no number', { a: Number.NaN }, 'a=NaN', { a: 'NaN' }],
  ['a structure', { a: { b: [1] } }, 'a={"b":[1]}', { a: { b: [1] } }],
  ['bytes', { a: { b: Buffer.from('secret') } }, 'a={"b":"[6 bytes]"}', { a: { b: '[6 bytes]' } }],
  ['a function', { a: () => 1 }, 'a=null', {}],
  ['a key with a line end', { 'a\nb': 1 }, 'a\\u000ab=1', { 'a\nb': 1 }],
  ['a token', { token: 'x' }, 'token=[redacted]', { token: '[redacted]' }],
])('fields: %s', (_name, fields, text, json) => {
  expect(textOf(fields).replace('"[redacted]"', '[redacted]')).toBe(`thing happened ${text}\n`)
  expect(JSON.parse(jsonLine(record(fields))).fields).toEqual(json)
})

it.each([
  'Authorization',
  'proxy-authorization',
  'cookie',
  'Set-Cookie',
  'accessToken',
  'password',
  'client_secret',
  'privateKey',
  'apiKey',
  'body',
])('a field named %s never shows its value, however deep', (key) => {
  const fields = { request: { headers: { [key]: 'hunter2' } }, [key]: 'hunter2' }
  expect(jsonLine(record(fields))).not.toContain('hunter2')
  expect(textLine(record(fields))).not.toContain('hunter2')
})

it.each<[string, () => unknown]>([
  [
    'a cycle',
    () => {
      const a: Record<string, unknown> = {}
      a['a'] = a
      return a
    },
  ],
  [
    'a getter that throws',
    () => ({
      get a() {
        throw new Error('x')
      },
    }),
  ],
  ['a nest of 100,000', () => nest(100_000)],
  ['a huge text', () => 'x'.repeat(1_000_000)],
  ['very many values', () => Array.from({ length: 100_000 }, (_, i) => i)],
])('%s makes a short line instead of an error', (_name, make) => {
  const fields = { value: make() }
  const line = jsonLine(record(fields))
  expect(line.length).toBeLessThan(40_000)
  expect(JSON.parse(line).message).toBe('thing happened')
  expect(textLine(record(fields)).length).toBeLessThan(40_000)
})

function nest(depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

it('an error shows its stack and stays on one line', () => {
  const text = textOf({ error: new Error('planted') })
  expect(text).toContain('Error: planted\\n    at')
  expect(text.indexOf('\n')).toBe(text.length - 1)
  expect(textOf({}, 'a\nforged\tline')).toBe('a\\u000aforged\\u0009line\n')
})

it('the level holds for all children and can be changed while they are used', () => {
  const sink = new ListSink()
  const root = createLogger({
    node: 'n',
    thread: 'main',
    component: 'root',
    sinks: [sink],
    clock: new VirtualTime(),
  })
  const child = root.child('child')
  const all = (): void => {
    child.error('e')
    child.warn('w')
    root.info('i')
    child.debug('d')
  }
  all()
  expect(child.debugOn).toBe(false)
  root.level = 'debug'
  expect(child.debugOn).toBe(true)
  all()
  child.level = 'error'
  all()
  expect(sink.records.map((each) => each.message).join('')).toBe('ewi' + 'ewid' + 'e')
  expect(sink.records.map((each) => each.component).slice(0, 3)).toEqual(['child', 'child', 'root'])
})

function tempFile(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'telemetry-')), 'stdout.log')
}

it('a file is made with mode 0640, appended to, and reopened after a rotation', () => {
  const file = tempFile()
  fs.writeFileSync(file, 'before\n')
  fs.rmSync(file)
  const sink = new FileSink(new AppendFile(file))
  expect(fs.statSync(file).mode & 0o777 & ~0o640).toBe(0)
  sink.write(record({ n: 1 }))
  fs.renameSync(file, `${file}.1`)
  sink.write(record({ n: 2 }))
  sink.reopen()
  sink.write(record({ n: 3 }))
  new FileSink(new AppendFile(file)).write(record({ n: 4 }))
  sink.close()
  sink.write(record({ n: 5 }))
  const numbers = (name: string): number[] =>
    fs
      .readFileSync(name, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).fields.n)
  expect(numbers(`${file}.1`)).toEqual([1, 2])
  expect(numbers(file)).toEqual([3, 4])
  expect(sink.failures).toBe(1)
})

it('a full disk costs records, not exceptions', () => {
  const sink = new FileSink(new AppendFile('/dev/full'))
  sink.write(record())
  sink.write(record())
  expect(sink.failures).toBe(2)
  sink.close()
})

it('a file that cannot be reopened stays in use', () => {
  const file = tempFile()
  const sink = new FileSink(new AppendFile(file))
  const folder = path.dirname(file)
  fs.renameSync(folder, `${folder}-moved`)
  sink.reopen()
  sink.write(record({ n: 1 }))
  expect(fs.readFileSync(path.join(`${folder}-moved`, 'stdout.log'), 'utf8')).toContain('"n":1')
  expect(sink.failures).toBe(1)
  sink.close()
})

it.each<[string, string]>([
  ['a folder that is not there', '/nowhere/at/all/stdout.log'],
  ['a folder in place of the file', os.tmpdir()],
])('opening throws for %s', (_name, file) => {
  expect(() => new AppendFile(file)).toThrow(file)
})

it('stderr gets lines for people, at once', async () => {
  const url = await compileThreadFixture(new URL('./logger.ts', import.meta.url))
  const script = `
    import { createLogger, StderrSink } from ${JSON.stringify(url.href)}
    const clock = { wallMs: () => 0, monotonicMs: () => 0 }
    const sinks = [new StderrSink()]
    const log = createLogger({ node: 'n', thread: 't', component: 'main', sinks, clock })
    log.error('last words', { code: 3 })
    process.kill(process.pid, 'SIGKILL')`
  const env = { ...process.env, TZ: 'UTC' }
  const args = ['--input-type=module', '-e', script]
  const died = promisify(execFile)(process.execPath, args, { env })
  const { stderr } = await died.catch((error: { stderr: string }) => error)
  expect(stderr).toBe('1970-01-01T00:00:00.000Z\tERROR\tmain\tlast words code=3\n')
})
