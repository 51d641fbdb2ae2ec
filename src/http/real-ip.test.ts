import { expect, it } from 'vitest'
import { Headers } from './headers.js'
import { realIp } from './real-ip.js'

const PEER = '10.9.9.9'

it.each<[forwarded: string | null, real: string | null, want: string]>([
  [null, null, PEER],
  ['', '', PEER],
  [null, '1.1.1.1', '1.1.1.1'],
  [null, '10.0.0.1', '10.0.0.1'],
  ['2.2.2.2', null, '2.2.2.2'],
  ['2.2.2.2', '1.1.1.1', '2.2.2.2'],
  [' 10.0.0.1 ,  2.2.2.2 , 3.3.3.3', null, '2.2.2.2'],
  ['unknown, 2.2.2.2:80, 3.3.3.3', null, '3.3.3.3'],
  ['2001:db8::1', null, '2001:db8::1'],
  ['::ffff:10.0.0.1, ::ffff:2.2.2.2', null, '::ffff:2.2.2.2'],
  ['010.1.1.1, 2.2.2.2', null, '2.2.2.2'],
  // Nothing but private addresses.
  ['127.0.0.1,10.1.1.1,172.16.0.1,172.31.255.255,192.168.1.1,169.254.1.1', '1.1.1.1', '1.1.1.1'],
  ['::1,fc00::1,fdff::1,fe80::1,febf::1', '1.1.1.1', '1.1.1.1'],
  ['10.0.0.1', null, PEER],
  ['10.0.0.1', '', PEER],
  // At the edges of the private blocks.
  ['128.0.0.1', null, '128.0.0.1'],
  ['172.15.255.255', null, '172.15.255.255'],
  ['172.32.0.0', null, '172.32.0.0'],
  ['192.169.0.0', null, '192.169.0.0'],
  ['fe00::1', null, 'fe00::1'],
  ['fec0::1', null, 'fec0::1'],
  ['::2', null, '::2'],
])('forwarded for %j, real %j: %s', (forwarded, real, want) => {
  const headers = new Headers()
  if (forwarded !== null) headers.add('x-forwarded-for', forwarded)
  if (real !== null) headers.add('x-real-ip', real)
  expect(realIp(headers, PEER)).toBe(want)
})
