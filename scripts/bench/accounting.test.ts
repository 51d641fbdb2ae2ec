import { expect, it } from 'vitest'
import { connectionInodes, cpuTimeOf, residentBytesOf } from './accounting.js'

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2742 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1
   1: 0100007F:2742 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 101 1
   2: 0100007F:C001 0100007F:2742 01 00000000:00000000 00:00000000 00000000     0        0 102 1
   3: 0100007F:2742 0100007F:C002 08 00000000:00000000 00:00000000 00000000     0        0 103 1
   4: 0100007F:2743 0100007F:C003 01 00000000:00000000 00:00000000 00000000     0        0 104 1
   5: 0100007F:2742 0100007F:C004 01 00000000:00000000 00:00000000 00000000     0        0 105 1
`

it('counts open connections to a port: not listeners, not the other ends, not half-closed ones', () => {
  expect([...connectionInodes(TABLE, 10_050)]).toEqual(['101', '105'])
})

it('there are none in nothing', () => {
  expect(connectionInodes('', 10_050).size).toBe(0)
})

it('reads the time and memory of this process', () => {
  const before = cpuTimeOf(process.pid).total
  for (let x = 0, until = Date.now() + 20; Date.now() < until; x++) Math.sqrt(x)
  expect(cpuTimeOf(process.pid).total).toBeGreaterThan(before)
  expect(residentBytesOf(process.pid)).toBeGreaterThan(1_000_000)
})

it('says when a process is gone', () => {
  expect(() => residentBytesOf(2 ** 22 + 1)).toThrow('gone')
})
