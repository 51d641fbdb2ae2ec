import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { expect, it } from 'vitest'
import { IpFilter, IpTable, isIpOrCidr, parseAddress } from './ip-table.js'
import { Prng } from './prng.js'

it.each<[text: string, want: number | bigint]>([
  ['0.0.0.0', 0],
  ['1.2.3.4', 0x01020304],
  ['255.255.255.255', -1],
  ['::', 0n],
  ['::1', 1n],
  ['1::', 1n << 112n],
  ['2001:db8::ff00:42:8329', 0x20010db8_00000000_0000ff00_00428329n],
  ['2001:DB8:0:0:0:FF00:42:8329', 0x20010db8_00000000_0000ff00_00428329n],
  ['1:2:3:4:5:6:7::', 0x0001_0002_0003_0004_0005_0006_0007_0000n],
  ['::2:3:4:5:6:7:8', 0x0000_0002_0003_0004_0005_0006_0007_0008n],
  ['::ffff:1.2.3.4', 0x01020304],
  ['::FFFF:102:304', 0x01020304],
  ['0000:0000:0000:0000:0000:ffff:7f00:0001', 0x7f000001],
  ['::1.2.3.4', 0x01020304n],
  ['64:ff9b::1.2.3.4', (0x0064ff9bn << 96n) | 0x01020304n],
  ['::ffff:0:1.2.3.4', (0xffffn << 48n) | 0x01020304n],
])('parseAddress %s', (text, want) => {
  expect(parseAddress(text)).toBe(want)
})

it.each([
  '',
  '1',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.4 ',
  ' 1.2.3.4',
  '1.2.3.4:80',
  '256.1.1.1',
  '999.1.1.1',
  '010.1.1.1',
  '1.1.1.00',
  '1..1.1',
  '1.1.1.',
  '0x1.1.1.1',
  '-1.1.1.1',
  '1.1.1.1e',
  ':',
  ':::',
  '1:',
  ':1',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  '::1:2:3:4:5:6:7:8',
  '12345::',
  'g::',
  'fe80::1%eth0',
  '[::1]',
  '::1.2.3',
  '::1.2.3.04',
  '::1.2.3.4:5',
  '1:2:3:4:5:6:7:1.2.3.4',
  '1.2.3.4::',
  '::ffff:1.2.3.4.5',
  '1:2:3:4:5:6:7:8/64',
])('parseAddress refuses "%s"', (text) => {
  expect(parseAddress(text)).toBeNull()
})

it.each<[text: string, want: boolean]>([
  ['10.0.0.0/8', true],
  ['10.1.2.3/8', true],
  ['0.0.0.0/0', true],
  ['10.0.0.1/32', true],
  ['::/0', true],
  ['fc00::/7', true],
  ['::ffff:10.0.0.0/104', true],
  ['10.0.0.1', true],
  ['10.0.0.0/33', false],
  ['10.0.0.0/08', false],
  ['10.0.0.0/', false],
  ['10.0.0.0/-1', false],
  ['10.0.0.0/8/8', false],
  ['10.0.0.0/255.0.0.0', false],
  ['10.0.0.0/ 8', false],
  ['10.0/16', false],
  ['::/129', false],
  ['/8', false],
  ['localhost', false],
])('isIpOrCidr %s: %s', (text, want) => {
  expect(isIpOrCidr(text)).toBe(want)
  if (want) expect(() => new IpTable([text])).not.toThrow()
  else expect(() => new IpTable([text])).toThrow(RangeError)
})

it.each<[entry: string, address: string, want: boolean]>([
  ['10.0.0.0/8', '10.255.0.1', true],
  ['10.1.2.3/8', '10.255.0.1', true],
  ['10.0.0.0/8', '11.0.0.0', false],
  ['10.0.0.0/8', '::ffff:10.0.0.1', true],
  ['::ffff:10.0.0.0/104', '10.9.9.9', true],
  ['::ffff:10.0.0.0/104', '11.9.9.9', false],
  ['::ffff:10.0.0.1', '10.0.0.1', true],
  ['0.0.0.0/0', '200.1.1.1', true],
  ['0.0.0.0/0', '::1', false],
  ['::/0', '2001::1', true],
  ['::/0', '10.0.0.1', false],
  ['::ffff:0:0/90', '10.0.0.1', false],
  ['128.0.0.0/1', '200.0.0.1', true],
  ['128.0.0.0/1', '127.0.0.1', false],
])('a table of %s has %s: %s', (entry, address, want) => {
  expect(new IpTable([entry]).has(parseAddress(address) as number)).toBe(want)
})

const A = '10.0.0.1'
it.each<
  [allowIPs: string[], blockIPs: string[], ip: string, verdicts: [open: boolean, shut: boolean]]
>([
  [[], [], A, [true, false]],
  [[A], [], A, [true, true]],
  [[], [A], A, [false, false]],
  [[A], ['10.0.0.0/8'], A, [true, false]],
  [['10.0.0.2'], [], A, [true, false]],
  [[], ['10.0.0.2'], A, [true, false]],
  [['0.0.0.0/0'], [], 'unknown', [true, false]],
  [[], ['0.0.0.0/0'], '', [true, false]],
])(
  'allow %j, block %j: %s gets %j without and with blockByDefault',
  (allowIPs, blockIPs, ip, verdicts) => {
    const verdict = (blockByDefault: boolean) =>
      new IpFilter({ blockByDefault, allowIPs, blockIPs }).allows(parseAddress(ip))
    expect([verdict(false), verdict(true)]).toEqual(verdicts)
  },
)

const v4 = (prng: Prng): string =>
  prng
    .ints(4, 4)
    .map((part) => part * 85)
    .join('.')
const v6 = (prng: Prng): string => {
  const text = prng
    .ints(8, 3)
    .map((word) => (word * 0x7fff).toString(16))
    .join(':')
  return prng.chance(50) ? text : text.replace(/(?:^|:)0(?::0)*(?:$|:)/, '::')
}

it('agrees with BlockList of node:net', () => {
  const prng = new Prng(0x1b)
  for (let round = 0; round < 150; round++) {
    const blockList = new BlockList()
    const entries: string[] = []
    // One family a round: BlockList finds 10.0.0.1 in ::/8, Go and this table do not.
    const is4 = prng.chance(50)
    for (let i = prng.below(6); i >= 0; i--) {
      const net = is4 ? v4(prng) : v6(prng)
      // BlockList takes no prefix of 0 bits.
      const bits = 1 + prng.below(is4 ? 32 : 128)
      if (prng.chance(30)) {
        entries.push(net)
        blockList.addAddress(net, is4 ? 'ipv4' : 'ipv6')
      } else {
        entries.push(`${net}/${bits}`)
        blockList.addSubnet(net, bits, is4 ? 'ipv4' : 'ipv6')
      }
    }
    const table = new IpTable(entries)
    for (let i = 0; i < 60; i++) {
      const text = is4 ? v4(prng) : v6(prng)
      const address = parseAddress(text)
      expect(address, text).not.toBeNull()
      const want = blockList.check(text, is4 ? 'ipv4' : 'ipv6')
      expect(table.has(address as number), `${entries} has ${text}`).toBe(want)
    }
  }
})

it('takes as an address what node:net takes, zones aside', () => {
  const prng = new Prng(0xf00)
  const pieces = ['1', '0', 'ff', '12345', ':', '::', '.', '255', '256', '00', 'g', '1.2.3.4', ':']
  for (let round = 0; round < 10_000; round++) {
    let text = Array.from({ length: 1 + prng.below(15) }, () => prng.pick(pieces)).join('')
    if (prng.chance(50)) text = prng.chance(50) ? v4(prng) : v6(prng)
    if (prng.chance(30)) {
      const at = prng.below(text.length)
      text = text.slice(0, at) + prng.pick(pieces) + text.slice(at + prng.below(2))
    }
    const address = parseAddress(text)
    expect(address !== null, text).toBe(isIPv4(text) || isIPv6(text))
    if (isIPv4(text)) expect(typeof address, text).toBe('number')
  }
})
